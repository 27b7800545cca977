"""Whether DMARC is strong enough for a logo to be shown."""

from collections.abc import Sequence

from monitor.protocol.dmarc import DmarcRecord, Policy
from monitor.protocol.problem import Problem

_EVERY_MESSAGE = "100"


def dmarc_problems(records: Sequence[DmarcRecord]) -> tuple[Problem, ...]:
    """What keeps receivers from showing a logo, though the record were right.

    ``records`` are the author domain's and its organizational domain's, those that there are: each
    must be strong by itself (draft-brand-indicators-for-message-identification-14 §7.1). ``pct``,
    removed by RFC 9989, still counts there, and for Google ("Set up BIMI").
    Codes: ``missing``, ``policy``, ``subdomain_policy``, ``percentage``, ``testing``.
    """
    if not records:
        return (Problem("missing", "there is no DMARC record"),)
    problems = [problem for record in records for problem in _of_record(record)]
    return tuple({problem.code: problem for problem in problems}.values())


def _of_record(record: DmarcRecord) -> list[Problem]:
    problems = []
    if not record.applied or record.policy is Policy.NONE:
        problems.append(Problem("policy", "the DMARC policy is `p=none`, not quarantine or reject"))
    if record.subdomain_policy is Policy.NONE:
        problems.append(Problem("subdomain_policy", "the DMARC policy for subdomains is `sp=none`"))
    percentage = dict(record.removed_tags).get("pct", _EVERY_MESSAGE)
    if percentage != _EVERY_MESSAGE:
        problems.append(
            Problem("percentage", "DMARC has `pct` below 100: only some mail is held to it")
        )
    if record.testing:
        problems.append(Problem("testing", "DMARC is in testing (`t=y`)"))
    return problems
