"""Panels of the SMTP audit on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="TLS versions that our mail hosts accept",
        expr=(
            "max by (target, protocol)"
            ' (deliverability_tls_protocol_accepted{domain=~"$domain",check="smtp_audit"})'
        ),
        kind="table",
        legend="{{target}} {{protocol}}",
        description="1: accepted, 0: refused, each tried on its own. Only where the audit is enabled.",
    ),
    Panel(
        title="Weak cipher suites that our mail hosts accept",
        expr=(
            "max by (target, weakness)"
            ' (deliverability_tls_weak_cipher_accepted{domain=~"$domain"}) == 1'
        ),
        kind="table",
        legend="{{target}} {{weakness}}",
        description="Empty is good. Only where the audit is enabled.",
    ),
)
