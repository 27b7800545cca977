"""What the configuration may say of blocklists."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from checks.blocklist.catalogue import ZoneEntry, built_in, chosen, merged
from monitor.check import Settings

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class BlocklistSettings(Settings):
    """Which zones to ask, and with what keys."""

    catalogue: Annotated[
        tuple[ZoneEntry, ...],
        Field(description="Zones besides the known ones, or in place of one of the same name."),
    ] = ()
    keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Keys of zones that want one, such as spamhaus_dqs; best a reference.",
    )
    zones: Annotated[
        tuple[str, ...] | None,
        Field(
            min_length=1,
            description="The zones to ask; those that most receivers use where left out.",
        ),
    ] = None

    @field_validator("catalogue")
    @classmethod
    def _each_once(cls, entries: tuple[ZoneEntry, ...]) -> tuple[ZoneEntry, ...]:
        names = [entry.name for entry in entries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"zone `{twice[0]}` is there twice")
        return entries

    @field_validator("keys")
    @classmethod
    def _usable(
        cls, keys: Mapping[str, SecretStr], info: ValidationInfo
    ) -> Mapping[str, SecretStr]:
        known = {entry.key for entry in _catalogue(info.data).values()} - {""}
        for name, key in keys.items():
            if name not in known:
                raise ValueError(f"no zone has the key `{name[:80]}`; zones have {sorted(known)}")
            if not _LABEL.fullmatch(key.get_secret_value()):
                raise ValueError(f"the key {name} is no part of a domain name")
        return keys

    @field_validator("zones")
    @classmethod
    def _known(cls, zones: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if info.data.keys() >= {"catalogue", "keys"}:
            chosen(_catalogue(info.data), zones, plain(info.data["keys"]))
        return zones


def _catalogue(data: Mapping[str, Any]) -> Mapping[str, ZoneEntry]:
    return merged(data["catalogue"]) if "catalogue" in data else built_in()


def plain(keys: Mapping[str, SecretStr]) -> dict[str, str]:
    """The keys' texts."""
    return {name: key.get_secret_value() for name, key in keys.items()}
