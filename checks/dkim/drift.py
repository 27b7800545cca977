"""The state of a selector that drift watches, and what a change of it means."""

from monitor.model import Classification, Drift
from monitor.protocol import dkim
from monitor.protocol.dkim import DkimError, DkimKey, KeyType
from monitor.protocol.tags import read_tags

_SEVERAL = "several keys: "
# NIST SP 800-57 part 1 table 2: a curve of 256 bits is as hard to break as RSA of 3072.
_ED25519_IN_RSA_BITS = 3072


def watched(texts: tuple[str, ...]) -> str:
    """The key record's text, white space squeezed; all of several; "" where there is none."""
    squeezed = sorted(" ".join(text.split()) for text in texts)
    return _SEVERAL + " | ".join(squeezed) if len(squeezed) > 1 else "".join(squeezed)


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning.

    Another usable key is a rotation: `strengthened`, or `weakened` where it is easier to break.
    """
    if _tags(accepted) == _tags(seen):
        return None
    if not seen:
        return Drift(Classification.VANISHED, "the key is gone: mail signed with it fails DKIM")
    before, now = _read(accepted), _read(seen)
    if isinstance(now, DkimKey):
        return _to_key(before, now, rotated=_key(accepted) != _key(seen))
    broken = isinstance(before, DkimKey) and before.usable
    return Drift(
        Classification.BROKEN if broken else Classification.CHANGED,
        f"verifiers cannot use the record as it is now: {now}",
    )


def _to_key(before: DkimKey | str, now: DkimKey, *, rotated: bool) -> Drift:
    if now.revoked:
        return Drift(Classification.CHANGED, "the key was revoked (empty `p`)")
    if isinstance(before, str) or before.revoked:
        return Drift(Classification.CHANGED, f"a new key: {_named(now)}")
    if before.usable and not now.usable:
        return Drift(Classification.BROKEN, "`h` or `s` now keep verifiers from using it for mail")
    return _between(before, now, rotated=rotated)


def _between(before: DkimKey, now: DkimKey, *, rotated: bool) -> Drift:
    if not rotated:
        what = "the key is the same, its other tags are not"
        return Drift(Classification.CHANGED, f"{what}{_testing(before, now)}")
    weaker = _strength(now) < _strength(before)
    reason = f"the key was rotated: {_named(before)} → {_named(now)}{_testing(before, now)}"
    return Drift(Classification.WEAKENED if weaker else Classification.STRENGTHENED, reason)


def _testing(before: DkimKey, now: DkimKey) -> str:
    if before.testing == now.testing:
        return ""
    return "; it is marked as a test now (`t=y`)" if now.testing else "; `t=y` is gone"


def _named(key: DkimKey) -> str:
    return f"{key.key_type} of {key.bits} bits"


def _strength(key: DkimKey) -> int:
    return _ED25519_IN_RSA_BITS if key.key_type is KeyType.ED25519 else key.bits


def _read(state: str) -> DkimKey | str:
    """The key, or why there is none."""
    if state.startswith(_SEVERAL):
        return "several keys stand at the selector"
    try:
        return dkim.parse(state)
    except DkimError as error:
        return error.message


def _key(state: str) -> str:
    tag = read_tags(state, fold_case=False).get("p")
    return "".join(tag.value.split()) if tag else ""


def _tags(state: str) -> object:
    """The record's tags without order and white space; the text itself where it is no tag list."""
    tags = read_tags(state, fold_case=False)
    if tags.problems or not tags.tags:
        return state
    return frozenset((tag.name, "".join(tag.value.split())) for tag in tags.tags)
