"""A configuration that was validated."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.check import Threshold
from monitor.config.model import Config, KindThresholds, LimitConfig
from monitor.config.sections import CheckConfig
from monitor.model import Domain, Sender

PROOF = object()
"""Only `monitor.config.load` hands it in."""


@dataclass(frozen=True, slots=True)
class ConfiguredThresholds:
    """The configured limits; each key from the most specific level that has it: stream, role, general."""

    config: Config

    def of(self, kind: str, *, role: str, sender: str, stream: str) -> Threshold | None:
        """The limit for one kind of ratio (`bounce`), or None where none is set."""
        if kind not in KindThresholds.model_fields:
            return None
        levels: list[KindThresholds] = [
            s.thresholds
            for one in self.config.senders
            if one.name == sender
            for s in one.streams
            if s.name == stream
        ]
        levels += [level for r, level in self.config.thresholds.roles.items() if r == role]
        limits: list[LimitConfig] = [getattr(k, kind) for k in (*levels, self.config.thresholds)]
        warning = next((x.warning for x in limits if x.warning is not None), None)
        critical = next((x.critical for x in limits if x.critical is not None), None)
        minimum = next((x.minimum for x in limits if x.minimum is not None), 1)
        if warning is None or critical is None:
            return None
        return Threshold(warning, critical, minimum)


@dataclass(frozen=True, slots=True)
class ValidConfig:
    """Holding one proves that it was validated: only `load` and `for_domain` make it.

    Attributes:
        config: the file's model, with the environment's values and every secret in place.
        checks: every installed check by name, also those that are not enabled.
        domains, senders: as declared.
        thresholds: the limits of ratios.
    """

    config: Config
    checks: Mapping[str, CheckConfig]
    domains: tuple[Domain, ...]
    senders: tuple[Sender, ...]
    thresholds: ConfiguredThresholds
    proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.proof is not PROOF:
            raise TypeError("a ValidConfig is made by load() or for_domain() only")
