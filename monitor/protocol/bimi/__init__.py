"""BIMI: the assertion record, the logo, the certificate, and whether DMARC is strong enough.

Internet-Drafts: draft-brand-indicators-for-message-identification-14 (record),
draft-svg-tiny-ps-abrotman-10 (logo), draft-fetch-validation-vmc-wchuang-11 (certificate).
"""

from monitor.protocol.bimi.drift import classify
from monitor.protocol.bimi.evidence import (
    Evidence,
    EvidenceError,
    MarkKind,
    covers,
    read_evidence,
    same_logo,
)
from monitor.protocol.bimi.policy import dmarc_problems
from monitor.protocol.bimi.record import (
    BimiError,
    BimiRecord,
    Preference,
    is_bimi,
    is_https_address,
    parse,
    read,
    record_name,
)
from monitor.protocol.bimi.svg import Svg, read_svg

__all__ = [
    "BimiError",
    "BimiRecord",
    "Evidence",
    "EvidenceError",
    "MarkKind",
    "Preference",
    "Svg",
    "classify",
    "covers",
    "dmarc_problems",
    "is_bimi",
    "is_https_address",
    "parse",
    "read",
    "read_evidence",
    "read_svg",
    "record_name",
    "same_logo",
]
