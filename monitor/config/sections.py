"""The whole file's model: the fixed part, and a section for each installed check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from pydantic import Field, create_model

from monitor.check import About, Check, Settings
from monitor.config.model import CheckSection, Config, Section
from monitor.model import Severity

MAX_RECORD = 4096

Checks = Mapping[str, type[Check[Any]]]
"""The installed checks by name."""


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """A check as configured: what the file says, else what its `About` says. Times in seconds.

    `settings` is an instance of `About.settings`; `severities` has the overridden codes only;
    `targets` are the names that stand in place of the default targets, empty where none do;
    `baselines` the accepted records by target (`target/subject` where the subject is not `record`).
    """

    name: str
    check: type[Check[Any]]
    enabled: bool
    interval: float
    timeout: float
    confirmations: int
    confirm_after: float
    severities: Mapping[str, Severity]
    targets: tuple[str, ...]
    settings: Settings
    baselines: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> About:
        """What the daemon knows of the check."""
        return self.check.about

    def given(self, target: str, subject: str) -> str | None:
        """The accepted record of a subject where the configuration gives it: then nobody else accepts one."""
        return self.baselines.get(target if subject == "record" else f"{target}/{subject}")


def config_model(checks: Checks) -> type[Config]:
    """The model of the whole file, with the settings of each check under `checks.<name>`.

    Raises:
        TypeError: a check's settings have a key that every check has (`interval`, …), or one without
            a default: a domain is watched without a configuration file too.
    """
    return _config_model(tuple(sorted(checks.items())))


@cache  # so that the same text read twice (a reload) gives equal configurations
def _config_model(checks: tuple[tuple[str, type[Check[Any]]], ...]) -> type[Config]:
    sections: Any = {
        name: (section := _check_model(check.about), Field(default_factory=section))
        for name, check in checks
    }
    all_checks = create_model("ChecksConfig", __base__=Section, **sections)
    all_checks.__doc__ = "What is looked at, how often, and each check's own settings."
    fields: Any = {"checks": (all_checks, all_checks())}
    model = create_model("Configuration", __base__=Config, **fields)
    model.__doc__ = Config.__doc__
    return model


def check_config(name: str, check: type[Check[Any]], config: Config) -> CheckConfig:
    """The check as `config` (an instance of `config_model`'s) has it, with its own defaults."""
    about = check.about
    section: Any = getattr(config.checks, name)
    own = {key: getattr(section, key) for key in about.settings.model_fields}
    overrides = section.severities.model_dump(exclude_none=True)
    return CheckConfig(
        name=name,
        check=check,
        enabled=not about.opt_in if section.enabled is None else section.enabled,
        interval=float(section.interval or about.interval),
        timeout=float(section.timeout or about.timeout),
        confirmations=section.confirmations,
        confirm_after=section.confirm_after,
        severities={code: Severity(severity) for code, severity in overrides.items()},
        targets=section.targets,
        settings=about.settings.model_construct(**own),
        baselines=getattr(section, "baselines", {}),
    )


def _check_model(about: About) -> type[CheckSection]:
    taken = CheckSection.model_fields.keys() | {"severities", "baselines"}
    if clash := sorted(taken & about.settings.model_fields.keys()):
        raise TypeError(
            f"check {about.name}: every check has the key {clash[0]}; its settings may not"
        )
    if needed := [key for key, field in about.settings.model_fields.items() if field.is_required()]:
        raise TypeError(f"check {about.name}: its setting {needed[0]} needs a default")
    codes: Any = {
        code.name: (Severity | None, Field(default=None, description=code.title))
        for code in about.codes
    }
    severities = create_model(f"{about.name}.severities", __base__=Section, **codes)
    severities.__doc__ = "Severities in place of the codes' own."
    fields: Any = {"severities": (severities, severities())}
    if about.drift_codes:
        fields["baselines"] = (
            dict[str, Annotated[str, Field(max_length=MAX_RECORD)]],
            Field(default={}, description="Accepted records by target, instead of the first seen."),
        )
    model: Any = create_model(about.name, __base__=(CheckSection, about.settings), **fields)
    model.__doc__ = about.title
    return model  # type: ignore[no-any-return]
