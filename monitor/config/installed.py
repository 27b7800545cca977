"""The installed checks: those of the entry-point group `deliverability.checks`, and nothing else."""

import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from monitor.check import About, Check
from monitor.config.sections import Checks

GROUP = "deliverability.checks"


class BrokenCheckError(Exception):
    """An installed check that cannot be used; names its distribution."""


def installed_checks(found: Iterable[EntryPoint] | None = None) -> Checks:
    """The installed checks by name, in the order of their names.

    Raises:
        BrokenCheckError: one cannot be imported, is no check, or has another name than its entry
            point; or two distributions have the same name.
    """
    checks: dict[str, type[Check[Any]]] = {}
    points = entry_points(group=GROUP) if found is None else found
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        check = _loaded(point)
        if checks.setdefault(point.name, check) is not check:
            raise BrokenCheckError(
                f"check {point.name} is installed twice, also by {_source(point)}"
            )
    return MappingProxyType(checks)


def check_folder(check: type[Check[Any]]) -> Traversable:
    """Where a check's `alerts.yaml`, `panels.py` and `runbook.md` are: the package of its module."""
    package = sys.modules[check.__module__].__spec__
    if package is None:
        raise BrokenCheckError(f"{check.__module__} was not imported from a package")
    return files(package.parent or check.__module__)


def _loaded(point: EntryPoint) -> type[Check[Any]]:
    try:
        check: Any = point.load()
    except Exception as error:  # importing runs whatever code the distribution has
        reason = f"{type(error).__name__}: {error}"
        raise BrokenCheckError(
            f"check {point.name} of {_source(point)} cannot be imported: {reason}"
        ) from error
    about = getattr(check, "about", None)
    if not isinstance(check, type) or not isinstance(about, About):
        raise BrokenCheckError(
            f"check {point.name} of {_source(point)} is no class with an `about`"
        )
    if about.name != point.name:
        raise BrokenCheckError(
            f"check {point.name} of {_source(point)} calls itself {about.name}: the names must be equal"
        )
    return check


def _source(point: EntryPoint) -> str:
    name = point.dist.name if point.dist else "an unknown distribution"
    return f"{name} ({point.value})"
