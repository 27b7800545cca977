"""What a change of a domain's MTA-STS policy means."""

import re
from dataclasses import dataclass

from monitor.check.drift import difference
from monitor.model import Classification, Drift
from monitor.protocol.mta_sts import Mode, StsPolicy, StsRecord

_DAY = 86400
_STATE = re.compile(
    rf"id=([A-Za-z0-9]+); mode=({'|'.join(Mode)}); max_age=([0-9]{{1,8}}); mx=(.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _State:
    id: str
    mode: Mode
    max_age: int
    mx: frozenset[str]


def watched(record: StsRecord, policy: StsPolicy) -> str:
    """The state that drift watches: the record's id, and the policy, whose hosts have no order."""
    hosts = ", ".join(sorted(policy.mx))
    return f"id={record.id}; mode={policy.mode}; max_age={policy.max_age}; mx={hosts}"


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning; "" is: no policy. A new id alone means nothing."""
    before, after = _read(accepted), _read(seen)
    if before is None or after is None:
        return _of_presence(accepted, seen, before, after)
    if before.mode is not after.mode:
        return _of_mode(before, after)
    if (before.max_age, before.mx) == (after.max_age, after.mx):
        return None
    if before.id == after.id:
        what = f"{_difference(before, after)}; {_unnoticed(before)}"
        return Drift(Classification.BROKEN, what, _restore(before, after))
    return Drift(Classification.CHANGED, _difference(before, after), _restore(before, after))


def _read(state: str) -> _State | None:
    found = _STATE.fullmatch(state)
    if found is None:
        return None
    hosts = frozenset(found[4].split(", ")) - {""}
    return _State(found[1], Mode(found[2]), int(found[3]), hosts)


def _of_presence(
    accepted: str, seen: str, before: _State | None, after: _State | None
) -> Drift | None:
    if accepted == seen:
        return None
    if seen:
        published = after is not None and after.mode is not Mode.NONE and not accepted
        what = "there was no policy, now there is one" if not accepted else "another policy"
        return Drift(Classification.STRENGTHENED if published else Classification.CHANGED, what)
    if before is not None and before.mode is Mode.NONE:
        return Drift(
            Classification.CHANGED,
            "the record is gone, after the policy said `none`: withdrawn as RFC 8461 §8.3 says",
        )
    # RFC 8461 §8.3: who still has the policy goes on to apply it.
    kept = f" for up to {_days(before.max_age)}" if before else ""
    return Drift(
        Classification.VANISHED,
        f"the record is gone: senders that have the policy keep to it{kept}, all others deliver "
        "unprotected; to withdraw a policy, publish it with `mode: none` first (RFC 8461 §8.3)",
    )


def _of_mode(before: _State, after: _State) -> Drift:
    what = f"`{before.mode}` → `{after.mode}`"
    note = f"; {_unnoticed(before)}" if before.id == after.id else ""
    if after.mode.strength < before.mode.strength:
        meaning = "senders no longer refuse to deliver to a host that they cannot authenticate"
        if before.mode is Mode.TESTING:
            meaning = "senders no longer report hosts that they cannot authenticate"
        return Drift(Classification.WEAKENED, f"{what}: {meaning}{note}", _restore(before, after))
    if note:
        return Drift(Classification.BROKEN, f"{what}{note}", _restore(before, after))
    reason = f"{what}: senders take the policy more seriously"
    return Drift(Classification.STRENGTHENED, reason, _restore(before, after))


def _restore(before: _State, after: _State) -> str:
    hosts = (f"mx: {host}" for host in sorted(before.mx))
    lines = ("version: STSv1", f"mode: {before.mode}", *hosts, f"max_age: {before.max_age}")
    policy = ", ".join(f"`{line}`" for line in lines)
    then = "; either way" if before.id == after.id else ", and"
    return f"serve the accepted policy again, a line each: {policy}{then} give the record a new id"


def _unnoticed(before: _State) -> str:
    return (
        f"the id in the record is still {before.id}, so senders that have the old policy may keep "
        f"it for up to {_days(before.max_age)}"
    )


def _difference(before: _State, after: _State) -> str:
    parts = [difference(before.mx, after.mx)]
    if before.max_age != after.max_age:
        parts.append(f"max_age {before.max_age} → {after.max_age}")
    return "the policy changed: " + "; ".join(filter(None, parts))


def _days(seconds: int) -> str:
    return f"{seconds / _DAY:.3g} days"
