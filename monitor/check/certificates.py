"""When the end of a certificate is near, for the checks of hosts that show one."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from monitor.check.about import Settings, at_most
from monitor.check.hosts import Certificate
from monitor.model import Severity

_DAY = 86400.0
# Of a short-lived certificate the last part of its life: programs begin to renew when a third is left.
_WARNING_SHARE, _CRITICAL_SHARE = 1 / 4, 1 / 8


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds before a certificate's end from which it is a warning, and critical."""

    warning: float
    critical: float

    def severity(self, certificate: Certificate, now: float) -> Severity | None:
        """How grave it is at `now` (epoch seconds); None while the end is far."""
        end = certificate.not_after.timestamp()
        left, life = end - now, end - certificate.not_before.timestamp()
        if left > min(self.warning, life * _WARNING_SHARE):
            return None
        critical = left <= min(self.critical, life * _CRITICAL_SHARE)
        return Severity.CRITICAL if critical else Severity.WARNING


class CertificateSettings(Settings):
    """When a certificate's end is near; of a short-lived one, the last quarter and eighth of its life."""

    certificate_warning_days: Annotated[float, Field(gt=0, description="Days before its end.")] = 21
    certificate_critical_days: Annotated[
        float,
        Field(gt=0, validate_default=True, description="Days before its end."),
        at_most("certificate_warning_days"),
    ] = 7

    @property
    def limits(self) -> Limits:
        """The same in seconds."""
        return Limits(self.certificate_warning_days * _DAY, self.certificate_critical_days * _DAY)
