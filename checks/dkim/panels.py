"""Panels of the DKIM check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="DKIM key size",
        expr='max by (domain, selector) (deliverability_dkim_key_size{domain=~"$domain"})',
        kind="table",
        unit="decbits",
        legend="{{selector}}._domainkey.{{domain}}",
        description="RSA: 2048 bits or more (RFC 8301 §3.2). Ed25519 always has 256.",
    ),
)
