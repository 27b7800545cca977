"""The requirements as data, read from `requirements.yaml`."""

from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import Field, model_validator

from checks.bulk_sender.facts import Fact
from monitor.check import Settings
from monitor.model import Provider, Role

_SENDING = tuple(role for role in Role if role is not Role.PARKED)


class Requirement(Settings):
    """One thing that a provider requires; `requirements.yaml` says what each key means."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,30}$")]
    """Its short name, as the label `requirement` has it."""
    name: Annotated[str, Field(min_length=3)]
    """In the provider's own words."""
    facts: tuple[Fact, ...] = ()
    """What must hold, all of it; empty where it cannot be seen from outside."""
    replies: tuple[str, ...] = ()
    """What the provider answers with where it is not met."""
    roles: tuple[Role, ...] = _SENDING
    """The roles of domains that it is about."""
    seen_by: str = ""
    """Where it can be seen, for those without facts."""

    @model_validator(mode="after")
    def _can_be_seen_somewhere(self) -> "Requirement":
        if bool(self.facts) is bool(self.seen_by):
            raise ValueError(f"{self.id}: either `facts` or `seen_by`")
        return self


class ProviderRules(Settings):
    """What one provider requires."""

    title: str
    """What people call the service."""
    bulk: str
    """Who is a bulk sender."""
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    """Where the provider says so."""
    requirements: Annotated[tuple[Requirement, ...], Field(min_length=1)]


class Rules(Settings):
    """What all of them require."""

    providers: dict[Provider, ProviderRules]


@cache
def rules() -> Rules:
    """The file's requirements.

    Raises:
        ValidationError: the file is wrong, which a test would have told.
    """
    text = (files("checks.bulk_sender") / "requirements.yaml").read_text(encoding="utf-8")
    return Rules.model_validate(yaml.safe_load(text))
