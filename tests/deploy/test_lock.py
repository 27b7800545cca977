"""The hash locks are complete, agree with each other and with pyproject.toml, and name no host."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]
RUN_REQUIREMENTS = [
    *PROJECT["build-system"]["requires"],
    *RUN["dependencies"],
    *RUN["optional-dependencies"]["lab"],
    *RUN["optional-dependencies"]["dashboards"],
]


def _pins(file: str) -> dict[NormalizedName, tuple[Requirement, int]]:
    """Each pinned requirement by name, with the number of its hashes."""
    blocks = re.split(r"\n(?=\S)", (ROOT / file).read_text().strip())
    found = {}
    for block in blocks:
        pin = Requirement(re.split(r"\\|--hash", block)[0])
        found[canonicalize_name(pin.name)] = (
            pin,
            len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)),
        )
    return found


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.txt", RUN_REQUIREMENTS),
        ("requirements-dev.txt", PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_a_lock_pins_what_the_project_asks_for(file: str, wanted: list[str]) -> None:
    """A requirement changed in pyproject.toml without `make lock` is noticed."""
    pins = _pins(file)
    for requirement in map(Requirement, wanted):
        pin, _ = pins[canonicalize_name(requirement.name)]
        (version,) = pin.specifier
        assert version.operator == "=="
        assert requirement.specifier.contains(version.version)


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_hashes_and_no_host(file: str) -> None:
    """`pip install --require-hashes` works from any index."""
    assert all(count for _, count in _pins(file).values())
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links| @ ", (ROOT / file).read_text())


@pytest.mark.parametrize("name", ["aiohttp", "cryptography", "pydantic-core", "pyyaml"])
def test_compiled_packages_are_pinned_for_many_platforms(name: str) -> None:
    """The hashes come from the index and not from the machine that made the lock."""
    assert _pins("requirements.txt")[canonicalize_name(name)][1] > 20


def test_the_locks_agree() -> None:
    """What is in both has one version, so that tests run what users run."""
    run, dev = _pins("requirements.txt"), _pins("requirements-dev.txt")
    assert {name: str(run[name][0].specifier) for name in run.keys() & dev.keys()} == {
        name: str(dev[name][0].specifier) for name in run.keys() & dev.keys()
    }
