"""What the key record at a selector is worth, and what a change of it means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.model import Classification, Drift, Finding, Severity
from monitor.protocol import dkim
from monitor.protocol.dkim import DkimError, DkimKey, KeyType
from monitor.protocol.tags import read_tags

_SEVERAL = "several keys: "


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector of a domain. Of one that nobody declared we do not know whether it is in use."""

    name: str
    domain: str
    declared: bool

    @property
    def place(self) -> str:
        """The name of the key record (RFC 6376 §3.6.2.1)."""
        return f"{self.name}._domainkey.{self.domain}"

    def severity(self, usual: Severity) -> Severity:
        """Nothing pages of a selector that may be a leftover."""
        return usual if self.declared else Severity.WARNING


def keys(texts: Sequence[str]) -> tuple[str, ...]:
    """The TXT texts that mean to be a key: a wildcard answers with others, too."""
    return tuple(filter(dkim.is_dkim, texts))


def key_of(texts: Sequence[str]) -> DkimKey | None:
    """The one key that can sign now; None where there is none, several, or a revoked one."""
    key = _parsed(texts[0]) if len(texts) == 1 else None
    return key if isinstance(key, DkimKey) and not key.revoked else None


def _parsed(text: str) -> DkimKey | DkimError:
    try:
        return dkim.parse(text)
    except DkimError as error:
        return error


def findings(
    selector: Selector, answers: Sequence[str], alias: str, *, only_if_key: bool
) -> tuple[Finding, ...]:
    """All findings of one selector.

    `answers` are all TXT texts at its place, `alias` the name that a CNAME led to. `only_if_key`:
    say nothing where there is no key.
    """
    texts = keys(answers)
    if not texts and only_if_key:
        return ()
    if not texts:
        return (_missing(selector, answers, alias),)
    if len(texts) > 1:
        return (
            Finding(
                "several_keys",
                f"{len(texts)} keys at {selector.place}: verifiers take any one (RFC 6376 §3.6.2.2)",
                fix=f"Leave the key in use at {selector.place}; a new key needs a new selector",
                evidence="\n".join(texts),
            ),
        )
    return tuple(_of_key(selector, texts[0]))


def _missing(selector: Selector, answers: Sequence[str], alias: str) -> Finding:
    led = f" (a CNAME leads to {alias}, where there is none)" if alias else ""
    return Finding(
        "key_missing",
        f"no key at {selector.place}{led}: mail signed with selector {selector.name} fails DKIM",
        fix=(
            f"Publish the TXT or CNAME record that the platform shows for {selector.place}, "
            f"or stop signing with {selector.name} and remove it from the configuration"
        ),
        evidence="\n".join(answers),
    )


def _of_key(selector: Selector, text: str) -> Iterator[Finding]:
    key = _parsed(text)
    if isinstance(key, DkimError):
        yield _invalid(selector, text, key.message)
    elif key.revoked:
        if selector.declared:
            yield Finding(
                "key_revoked",
                f"the key at {selector.place} is revoked (empty p=): mail signed with it fails DKIM",
                fix=f"Sign with another selector and remove {selector.name} from the configuration, or publish its key again",
                evidence=text,
            )
    elif not (key.allows_sha256 and key.for_email):
        yield _invalid(selector, text, "h= or s= keeps verifiers from using it for mail")
    else:
        yield from _of_strength(selector, text, key)


def _invalid(selector: Selector, text: str, why: str) -> Finding:
    return Finding(
        "key_invalid",
        f"verifiers cannot use the key at {selector.place}: {why}",
        fix=f"Publish the TXT record at {selector.place} again, exactly as the platform shows it",
        evidence=text,
        severity=selector.severity(Severity.CRITICAL),
    )


def _of_strength(selector: Selector, text: str, key: DkimKey) -> Iterator[Finding]:
    if key.key_type is KeyType.RSA and key.bits < dkim.RECOMMENDED_RSA_BITS:
        refused = key.bits < dkim.MINIMUM_RSA_BITS
        consequence = "verifiers must not accept it" if refused else "it can be broken"
        yield Finding(
            "key_too_short" if refused else "key_short",
            f"the RSA key at {selector.place} has {key.bits} bits: {consequence} (RFC 8301 §3.2)",
            fix=f"Make a key of {dkim.RECOMMENDED_RSA_BITS} bits under a new selector, sign with it, then revoke {selector.name}",
            evidence=text,
            severity=selector.severity(Severity.CRITICAL) if refused else None,
        )
    if key.testing:
        yield Finding(
            "testing",
            f"t=y at {selector.place}: verifiers may treat its mail as unsigned (RFC 6376 §3.6.1)",
            fix=f"Remove t=y from the TXT record at {selector.place}",
            evidence=text,
        )


def none_found(domain: str) -> Finding:
    """No usual selector has a key, and no other is declared."""
    return Finding(
        "none_found",
        f"none of the usual selectors has a key for {domain}",
        fix="Declare the selectors in use (`dkim_selectors`): the `s=` of the DKIM-Signature header of a sent mail",
    )


def watched(texts: tuple[str, ...]) -> str:
    """The state that drift watches: the key record's text, white space squeezed; "" where there is none."""
    squeezed = sorted(" ".join(text.split()) for text in texts)
    return _SEVERAL + " | ".join(squeezed) if len(squeezed) > 1 else "".join(squeezed)


def classify(accepted: str, seen: str) -> Drift | None:
    """How two states of `watched` differ in meaning; a rotated or revoked key has changed, no more."""
    if _tags(accepted) == _tags(seen):
        return None
    if not seen:
        reason = "the key is gone: mail signed with it fails DKIM"
        return Drift(Classification.VANISHED, reason)
    now = _parsed(seen)
    if isinstance(now, DkimError):
        was_usable = bool(accepted) and isinstance(_parsed(accepted), DkimKey)
        return Drift(
            Classification.BROKEN if was_usable else Classification.CHANGED,
            f"verifiers cannot use the record as it is now: {now.message}",
        )
    if not accepted:
        return Drift(Classification.CHANGED, f"a new key of {now.bits} bits")
    if now.revoked:
        return Drift(Classification.CHANGED, "the key was revoked (empty `p`)")
    return Drift(
        Classification.CHANGED, f"another key or other tags; the key has {now.bits} bits now"
    )


def _tags(state: str) -> object:
    """The record's tags without order and white space; the text itself where it is no tag list."""
    tags = read_tags(state, fold_case=False)
    if tags.problems or not tags.tags:
        return state
    return frozenset((tag.name, "".join(tag.value.split())) for tag in tags.tags)
