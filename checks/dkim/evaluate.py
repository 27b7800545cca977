"""What the key record at a selector is worth."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from monitor.model import Finding, Severity
from monitor.protocol import dkim
from monitor.protocol.dkim import DkimError, DkimKey, KeyType
from monitor.protocol.selectors import ROTATING, keeps_keys, platform_of_key_host


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


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at a selector: its key texts, other TXT texts, and where a CNAME led ("" where there is none)."""

    selector: Selector
    texts: tuple[str, ...]
    others: tuple[str, ...] = ()
    alias: str = ""

    @property
    def key(self) -> DkimKey | None:
        """The one key that can sign now; None where there is none, several, or a revoked one."""
        key = _parsed(self.texts[0]) if len(self.texts) == 1 else None
        return key if isinstance(key, DkimKey) and not key.revoked else None

    @property
    def evidence(self) -> str:
        """All that was seen."""
        cname = (f"{self.selector.place} CNAME {self.alias}",) if self.alias else ()
        return "\n".join((*cname, *self.texts, *self.others))


def place_of(selector: Selector, answers: Sequence[str], canonical_name: str) -> Place:
    """The place from a TXT answer; a wildcard answers with texts that do not mean to be a key."""
    texts = tuple(filter(dkim.is_dkim, answers))
    alias = "" if canonical_name in {"", selector.place.lower()} else canonical_name
    return Place(selector, texts, tuple(text for text in answers if text not in texts), alias)


def without_wildcard(places: Sequence[Place]) -> list[Place]:
    """The places without an alias to where no key is that several selectors have: a wildcard of the zone answers so."""
    shared = Counter(place.alias for place in places if not place.texts)
    return [
        replace(place, alias="", others=())
        if not place.texts and shared[place.alias] > 1
        else place
        for place in places
    ]


def _parsed(text: str) -> DkimKey | DkimError:
    try:
        return dkim.parse(text)
    except DkimError as error:
        return error


def findings(
    place: Place, every: Sequence[Place], platforms: frozenset[str]
) -> tuple[Finding, ...]:
    """All findings of one selector of `every`; `platforms` are those that the domain's senders run on.

    Of a selector that nobody declared nothing is said where there is nothing.
    """
    if not place.texts:
        if _on_standby(place, every):
            return (_standby(place),)
        if place.alias:
            return (_dangling(place),)
        return (_missing(place),) if place.selector.declared else ()
    if len(place.texts) > 1:
        return (
            Finding(
                "several_keys",
                f"{len(place.texts)} keys at {place.selector.place}: verifiers take any one (RFC 6376 §3.6.2.2)",
                fix=f"Leave the key in use at {place.selector.place}; a new key needs a new selector",
                evidence=place.evidence,
            ),
        )
    return (*_of_key(place, place.texts[0]), *_of_alias(place, platforms))


def may_be_on_standby(place: Place) -> bool:
    """Whether there is no key, at a platform that publishes one of two keys only when it rotates them."""
    return not place.texts and platform_of_key_host(place.alias) in ROTATING


def _on_standby(place: Place, every: Sequence[Place]) -> bool:
    """Whether the platform has a key of the domain at its other selector."""
    platform = platform_of_key_host(place.alias)
    return may_be_on_standby(place) and any(
        other.key and platform_of_key_host(other.alias) == platform for other in every
    )


def _standby(place: Place) -> Finding:
    return Finding(
        "standby_unpublished",
        f"{place.selector.place} is a CNAME to {place.alias}, where there is no key yet: the platform signs with "
        "its other selector, and publishes this key when it rotates them",
        fix="Nothing: leave the CNAME, so that the next rotation finds it",
        evidence=place.evidence,
    )


def _missing(place: Place) -> Finding:
    selector = place.selector
    return Finding(
        "key_missing",
        f"no key at {selector.place}: mail signed with selector {selector.name} fails DKIM",
        fix=(
            f"Publish the TXT or CNAME record that the platform shows for {selector.place}, "
            f"or stop signing with {selector.name} and remove it from the configuration"
        ),
        evidence=place.evidence,
    )


def _dangling(place: Place) -> Finding:
    selector = place.selector
    return Finding(
        "alias_dangling",
        f"{selector.place} is a CNAME to {place.alias}, where there is no key: mail signed with it fails DKIM",
        fix=(
            f"Set the domain up again at the platform behind {place.alias} and publish the CNAME that it shows, "
            f"or remove the CNAME at {selector.place}: whoever gets that name there signs as {selector.domain}"
        ),
        evidence=place.evidence,
        severity=selector.severity(Severity.CRITICAL),
    )


def _of_key(place: Place, text: str) -> Iterator[Finding]:
    selector, key = place.selector, _parsed(text)
    if isinstance(key, DkimError):
        yield _invalid(place, key.message)
    elif key.revoked:
        if selector.declared:
            yield Finding(
                "key_revoked",
                f"the key at {selector.place} is revoked (empty p=): mail signed with it fails DKIM",
                fix=f"Sign with another selector and remove {selector.name} from the configuration, or publish its key again",
                evidence=place.evidence,
            )
    elif not key.allows_sha256:
        yield _invalid(
            place, "h= allows only hashes that verifiers must not accept (RFC 8301 §3.1)"
        )
    elif not key.for_email:
        yield _invalid(place, "s= allows it for other services than email")
    else:
        yield from _of_strength(place, key)
        yield from _of_flags(place, key)


def _invalid(place: Place, why: str) -> Finding:
    return Finding(
        "key_invalid",
        f"verifiers cannot use the key at {place.selector.place}: {why}",
        fix=f"Publish the TXT record at {place.selector.place} again, exactly as the platform shows it",
        evidence=place.evidence,
        severity=place.selector.severity(Severity.CRITICAL),
    )


def _of_strength(place: Place, key: DkimKey) -> Iterator[Finding]:
    selector = place.selector
    if key.key_type is not KeyType.RSA:
        return
    if key.bits < dkim.RECOMMENDED_RSA_BITS:
        refused = key.bits < dkim.MINIMUM_RSA_BITS
        consequence = "verifiers must not accept it" if refused else "it can be broken"
        yield Finding(
            "key_too_short" if refused else "key_short",
            f"the RSA key at {selector.place} has {key.bits} bits: {consequence} (RFC 8301 §3.2)",
            fix=f"Make a key of {dkim.RECOMMENDED_RSA_BITS} bits under a new selector, sign with it, then revoke {selector.name}",
            evidence=place.evidence,
            severity=selector.severity(Severity.CRITICAL) if refused else None,
        )
    elif key.bits > dkim.LARGEST_RSA_BITS:
        yield Finding(
            "key_long",
            f"the RSA key at {selector.place} has {key.bits} bits: verifiers need not accept more than "
            f"{dkim.LARGEST_RSA_BITS} (RFC 8301 §3.2)",
            fix=f"Make a key of {dkim.RECOMMENDED_RSA_BITS} bits under a new selector, sign with it, then revoke {selector.name}",
            evidence=place.evidence,
        )


def _of_flags(place: Place, key: DkimKey) -> Iterator[Finding]:
    where = place.selector.place
    if key.testing:
        yield Finding(
            "testing",
            f"t=y at {where}: verifiers may treat its mail as unsigned (RFC 6376 §3.6.1)",
            fix=f"Remove t=y from the TXT record at {where}",
            evidence=place.evidence,
        )
    if key.strict:
        yield Finding(
            "strict_identity",
            f"t=s at {where}: signatures whose i= is a subdomain of {place.selector.domain} fail (RFC 6376 §3.6.1)",
            fix=f"Nothing, where the signer sets no i= of a subdomain; else remove t=s from the record at {where}",
            evidence=place.evidence,
        )


def _of_alias(place: Place, platforms: frozenset[str]) -> Iterator[Finding]:
    platform = platform_of_key_host(place.alias) if place.alias else None
    if platform is None or not platforms or any(keeps_keys(p, platform) for p in platforms):
        return
    yield Finding(
        "platform_undeclared",
        f"{place.selector.place} leads to a key of {platform}, and no sender of {place.selector.domain} runs on it",
        fix=(
            f"Declare the sender that runs on {platform} under `senders`, or remove the CNAME at "
            f"{place.selector.place}: whoever holds that account there signs as {place.selector.domain}"
        ),
        evidence=place.evidence,
    )


def only_ed25519(places: Sequence[Place]) -> tuple[Finding, ...]:
    """Of a domain without an RSA key: that there are Ed25519 keys, and nothing to sign with beside them."""
    if not any(place.key for place in places):
        return ()
    domain = places[0].selector.domain
    return (
        Finding(
            "only_ed25519",
            f"{domain} has only Ed25519 keys: verifiers that do not know them see its mail as unsigned",
            fix=f"Sign with an RSA key of {dkim.RECOMMENDED_RSA_BITS} bits as well, under a selector of its own (RFC 8463 §3)",
            evidence="\n".join(place.evidence for place in places if place.key),
        ),
    )


def none_found(domain: str) -> Finding:
    """No usual selector has a key, and no other is declared."""
    return Finding(
        "none_found",
        f"none of the usual selectors has a key for {domain}",
        fix="Declare the selectors in use (`dkim_selectors`): the `s=` of the DKIM-Signature header of a sent mail",
    )
