"""Panels of the DANE check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Mail hosts under DANE",
        expr='max by (domain, state) (deliverability_dane_hosts{domain=~"$domain"})',
        kind="stat",
        legend="{{domain}}: {{state}}",
        description=(
            "protected: the certificate passes its TLSA records. broken: it does not, and mail is lost. "
            "ignored: senders pass the records over. without: there are none."
        ),
    ),
    Panel(
        title="Signed by DNSSEC",
        expr='max by (domain) (deliverability_dnssec_signed{domain=~"$domain"})',
        kind="stat",
        legend="{{domain}}",
        description="1 where the domain is signed and the zones above vouch for that.",
    ),
    Panel(
        title="DNSSEC signatures end",
        expr=(
            "min by (domain)"
            ' (deliverability_dnssec_signatures_end_timestamp_seconds{domain=~"$domain"}) * 1000'
        ),
        kind="table",
        unit="dateTimeFromNow",
        legend="{{domain}}",
        description="The first to end, if the signer stopped now.",
    ),
)
