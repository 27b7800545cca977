"""DMARC: the policy record, its discovery, and what a change of it means (RFC 9989)."""

from monitor.protocol.dmarc.discovery import (
    Discovery,
    EffectivePolicy,
    discover,
    effective_policy,
    tree_walk,
)
from monitor.protocol.dmarc.drift import classify
from monitor.protocol.dmarc.record import (
    Alignment,
    DmarcError,
    DmarcRecord,
    Policy,
    Psd,
    ReportUri,
    is_dmarc,
    parse,
    parse_report_uri,
    read,
    render,
)

__all__ = [
    "Alignment",
    "Discovery",
    "DmarcError",
    "DmarcRecord",
    "EffectivePolicy",
    "Policy",
    "Psd",
    "ReportUri",
    "classify",
    "discover",
    "effective_policy",
    "is_dmarc",
    "parse",
    "parse_report_uri",
    "read",
    "render",
    "tree_walk",
]
