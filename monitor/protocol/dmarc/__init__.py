"""DMARC: the policy record, its discovery, and what a change of it means (RFC 9989)."""

from monitor.protocol.dmarc.alignment import aligned
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
from monitor.protocol.dmarc.reports import authorisation_name, destinations, refusal

__all__ = [
    "Alignment",
    "Discovery",
    "DmarcError",
    "DmarcRecord",
    "EffectivePolicy",
    "Policy",
    "Psd",
    "ReportUri",
    "aligned",
    "authorisation_name",
    "classify",
    "destinations",
    "discover",
    "effective_policy",
    "is_dmarc",
    "parse",
    "parse_report_uri",
    "read",
    "refusal",
    "render",
    "tree_walk",
]
