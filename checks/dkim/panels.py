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
    Panel(
        title="Since a DKIM key changed",
        expr='time() - max by (domain) (deliverability_record_last_change_timestamp_seconds{domain=~"$domain",record="dkim"})',
        kind="stat",
        unit="s",
        legend="{{domain}}",
        description="Rotate at least once a year: whoever copied a key can sign as the domain until then. "
        "What changed before the domain was watched is not known.",
    ),
    Panel(
        title="DKIM keys differ from what was accepted",
        expr='max by (domain, classification) (deliverability_record_drift{domain=~"$domain",record="dkim"})',
        legend="{{domain}}: {{classification}}",
        description="1 while one differs. `deliverability drift show` tells how, `drift accept` accepts it.",
    ),
)
