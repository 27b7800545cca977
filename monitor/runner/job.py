"""A check made with its settings, and how the configuration wants it run."""

from dataclasses import dataclass
from typing import Any

from monitor.check import About, Check, Confirm
from monitor.config.sections import CheckConfig
from monitor.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Job:
    """One enabled check. `config` gives interval, timeout and confirmation in seconds and numbers."""

    check: Check[Any]
    config: CheckConfig

    @property
    def about(self) -> About:
        """What the check says of itself."""
        return self.check.about

    @property
    def name(self) -> str:
        """The check's name."""
        return self.about.name

    @property
    def confirmations(self) -> int:
        """How often what got worse must be seen again before it counts."""
        return 0 if self.about.confirm is Confirm.NONE else self.config.confirmations

    def severity_of(self, finding: Finding) -> Severity:
        """Configured, else the finding's own, else its code's.

        Raises:
            KeyError: the code is not in the check's closed set.
        """
        declared = {code.name: code.severity for code in self.about.codes}[finding.code]
        return self.config.severities.get(finding.code) or finding.severity or declared
