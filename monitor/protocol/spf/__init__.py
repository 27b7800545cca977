"""SPF: the record, how many DNS lookups it costs, and who may send by it (RFC 7208)."""

from monitor.protocol.spf.check_host import MAX_VOID_LOOKUPS, check_host, check_mail
from monitor.protocol.spf.lookups import MAX_LOOKUPS, Cost, LookupCount, count_lookups
from monitor.protocol.spf.macros import has_macro
from monitor.protocol.spf.record import (
    Mechanism,
    MechanismName,
    Modifier,
    Qualifier,
    SpfError,
    SpfRecord,
    is_spf,
    parse,
    usable_record,
)
from monitor.protocol.spf.verdict import Answer, Lookup, Result, Step, Verdict

__all__ = [
    "MAX_LOOKUPS",
    "MAX_VOID_LOOKUPS",
    "Answer",
    "Cost",
    "Lookup",
    "LookupCount",
    "Mechanism",
    "MechanismName",
    "Modifier",
    "Qualifier",
    "Result",
    "SpfError",
    "SpfRecord",
    "Step",
    "Verdict",
    "check_host",
    "check_mail",
    "count_lookups",
    "has_macro",
    "is_spf",
    "parse",
    "usable_record",
]
