"""What the configuration may say of blocklists."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from checks.blocklist.catalogue import built_in, merged, obituary, problem
from checks.blocklist.entries import OwnZoneEntry, ZoneEntry
from monitor.check import Settings

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def _living(zone: str) -> None:
    if dead := obituary(zone):
        raise ValueError(dead)


def _askable(written: str, info: ValidationInfo) -> str:
    """A living zone of the catalogue, with its key where it wants one; what is wrong elsewhere is told there."""
    zone = written.lower().removesuffix(".")
    _living(zone)
    if info.data.keys() >= {"catalogue", "keys"} and (
        wrong := problem(zone, _catalogue(info.data), info.data["keys"])
    ):
        raise ValueError(wrong)
    return zone


def _living_entry(entry: OwnZoneEntry) -> OwnZoneEntry:
    _living(entry.name)
    return entry


def _refuse_twins(names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"zone `{twice[0]}` is there twice")


class BlocklistSettings(Settings):
    """Which zones to ask, and with what keys."""

    catalogue: Annotated[
        tuple[Annotated[OwnZoneEntry, AfterValidator(_living_entry)], ...],
        Field(
            description="Zones besides the known ones, or in place of one of the same name; each says what its "
            "answers mean (`codes` or `bits`; most zones have the one code 127.0.0.2) and names its test entries by "
            "kind, or null where it has none (it then never pages). Dead zones are errors."
        ),
    ] = ()
    keys: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Keys of zones that want one, such as spamhaus_dqs or abusix; best a reference. A key alone "
        "makes its zones be asked in place of the public ones.",
    )
    zones: Annotated[
        tuple[Annotated[str, AfterValidator(_askable)], ...] | None,
        Field(
            min_length=1,
            description="The zones to ask; those that most receivers use where left out. One that another of them "
            "contains (sbl.spamhaus.org beside zen.spamhaus.org) is not asked: a listing counts once.",
        ),
    ] = None

    @field_validator("zones")
    @classmethod
    def _named_once(cls, zones: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _refuse_twins(zones or ())
        return zones

    @field_validator("catalogue")
    @classmethod
    def _each_once(cls, entries: tuple[OwnZoneEntry, ...]) -> tuple[OwnZoneEntry, ...]:
        _refuse_twins([entry.name for entry in entries])
        known = merged(entries)
        for entry in entries:
            named = (*entry.contains, *filter(None, [entry.instead_of]))
            if unknown := [name for name in named if name not in known]:
                raise ValueError(
                    f"zone `{entry.name}`: `{unknown[0][:80]}` is not in the catalogue"
                )
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


def _catalogue(data: Mapping[str, Any]) -> Mapping[str, ZoneEntry]:
    return merged(data["catalogue"]) if "catalogue" in data else built_in()


def plain(keys: Mapping[str, SecretStr]) -> dict[str, str]:
    """The keys' texts."""
    return {name: key.get_secret_value() for name, key in keys.items()}
