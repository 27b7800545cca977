"""Panels of the SMTP check on the domain dashboard."""

from monitor.check import Panel

PANELS = (
    Panel(
        title="Mail hosts that answer",
        expr='max by (target) (deliverability_smtp_up{domain=~"$domain"})',
        kind="stat",
        legend="{{target}}",
        description="1 where an address of the host answers.",
    ),
    Panel(
        title="Certificates of mail hosts end",
        expr=(
            "min by (target)"
            ' (deliverability_certificate_not_after_timestamp_seconds{domain=~"$domain"}) * 1000'
        ),
        kind="table",
        unit="dateTimeFromNow",
        legend="{{target}}",
        description="The earliest of the host's addresses; one that has ended stays on show.",
    ),
    Panel(
        title="TLS versions of mail hosts",
        expr=(
            "max by (target, protocol)"
            ' (deliverability_tls_protocol_accepted{domain=~"$domain",check="smtp"}) == 1'
        ),
        kind="table",
        legend="{{target}} {{protocol}}",
        description="What was negotiated with a client that can do all versions.",
    ),
    Panel(
        title="Phases of SMTP conversations",
        expr=(
            'max by (target, phase) (deliverability_smtp_phase_duration_seconds{domain=~"$domain"})'
        ),
        unit="s",
        legend="{{target}} {{phase}}",
        description="At the slowest address. A slow banner is often a full queue or a slow blocklist.",
    ),
    Panel(
        title="Extensions that mail hosts lack",
        expr=(
            "max by (target, extension)"
            ' (deliverability_smtp_extension_offered{domain=~"$domain"}) == 0'
        ),
        kind="table",
        legend="{{target}} {{extension}}",
        description="PIPELINING, SIZE, 8BITMIME, SMTPUTF8: not offered at one of its addresses at least.",
    ),
    Panel(
        title="Largest message that mail hosts take",
        expr='min by (target) (deliverability_smtp_size_limit_bytes{domain=~"$domain"})',
        kind="table",
        unit="bytes",
        legend="{{target}}",
        description="As told by SIZE; absent where no limit is told.",
    ),
)
