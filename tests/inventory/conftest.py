"""A configuration from text, with a check of each kind."""

from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, ClassVar

import pytest

from monitor.check import About, Settings, World
from monitor.config.load import load
from monitor.config.valid import ValidConfig
from monitor.model import (
    AddressTarget,
    DomainTarget,
    HostTarget,
    MonitorTarget,
    NamedDomainTarget,
    Outcome,
    Role,
    SenderTarget,
    Target,
)


def check_of(name: str, targets: type[Target] | tuple[type[Target], ...], **options: Any) -> Any:
    class Made:
        about: ClassVar[About] = About(name, name, targets, 60, (), **options)

        def __init__(self, settings: Settings) -> None:
            pass

        async def run(self, target: Target, world: World) -> Outcome:
            return Outcome()

    return Made


KINDS: dict[str, type[Target]] = {
    "domains": DomainTarget,
    "addresses": AddressTarget,
    "hosts": HostTarget,
    "links": NamedDomainTarget,
    "mail": SenderTarget,
    "self": MonitorTarget,
}
CHECKS = {name: check_of(name, kind) for name, kind in KINDS.items()} | {
    "parked": check_of("parked", DomainTarget, applies=lambda t: t.role is Role.PARKED),
    "both": check_of("both", (DomainTarget, SenderTarget)),
    "pools": check_of("pools", (AddressTarget, SenderTarget)),
    "intrusive": check_of("intrusive", HostTarget, opt_in=True),
}


def read(text: str) -> ValidConfig:
    """The configuration that `text` is."""
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return load(Path(file.name), {}, CHECKS)


@pytest.fixture
def configured() -> Callable[[str], ValidConfig]:
    return read
