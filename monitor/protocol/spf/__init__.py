"""SPF: the record and how many DNS lookups it costs (RFC 7208)."""

from monitor.protocol.spf.lookups import MAX_LOOKUPS, LookupCount, count_lookups
from monitor.protocol.spf.record import (
    Mechanism,
    MechanismName,
    Modifier,
    Qualifier,
    SpfError,
    SpfRecord,
    is_spf,
    parse,
)

__all__ = [
    "MAX_LOOKUPS",
    "LookupCount",
    "Mechanism",
    "MechanismName",
    "Modifier",
    "Qualifier",
    "SpfError",
    "SpfRecord",
    "count_lookups",
    "is_spf",
    "parse",
]
