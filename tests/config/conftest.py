"""Two checks to configure, and the bad files' runner's environment."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from pydantic import Field, SecretStr, field_validator

from monitor.check import About, Check, Code, Settings, World
from monitor.config.sections import Checks
from monitor.model import (
    AddressTarget,
    DomainTarget,
    HostTarget,
    Outcome,
    SenderTarget,
    Severity,
    Target,
)


class ZoneSettings(Settings):
    """What the zones check may be told."""

    zones: tuple[str, ...] = ("zone.example",)
    keys: dict[str, SecretStr] = Field(default={})

    @field_validator("keys")
    @classmethod
    def _names(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if any("$" in key.get_secret_value() for key in keys.values()):
            raise ValueError("a key is no part of a name")
        return keys


def make_check(
    name: str, targets: type[Target], settings: type[Settings] = Settings
) -> type[Check[Any]]:
    class Made:
        about: ClassVar[About] = About(
            name=name,
            title=f"The {name} check",
            targets=targets,
            interval=3600,
            settings=settings,
            codes=(Code("broken", Severity.CRITICAL, "It is broken"),),
        )

        def __init__(self, settings: Settings) -> None:
            self.settings = settings

        async def run(self, target: Target, world: World) -> Outcome:
            return Outcome()

    return Made


@pytest.fixture(scope="session")
def checks() -> Checks:
    return {
        "zones": make_check("zones", AddressTarget, ZoneSettings),
        "hosts": make_check("hosts", HostTarget),
        "records": make_check("records", DomainTarget),
        "mail": make_check("mail", SenderTarget),
    }


@pytest.fixture(name="make_check")
def make_check_fixture() -> Callable[..., type[Check[Any]]]:
    return make_check
