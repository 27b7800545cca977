"""The SPF record, by the ABNF (RFC 7208 §4.5, §5, §6 and §12)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from monitor.protocol.problem import RecordError, quoted
from monitor.protocol.spf.macros import is_domain_spec, is_macro_string

_VERSION = re.compile(r"v=spf1(?= |\Z)", re.IGNORECASE)
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_TERM = re.compile(r"[^ ]+")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9\-_.]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"([+\-~?]?)([A-Za-z0-9]*)(.*)", re.DOTALL)
_DUAL_CIDR = re.compile(r"(?:/([0-9]+))?(?://([0-9]+))?\Z")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")
_IPV4_BITS, _IPV6_BITS = 32, 128
# RFC 7208 §3.4: verifiers may ignore what does not fit into one packet. This is four times as much,
# and keeps what a hostile record costs within bounds.
_LONGEST = 16384
_USUAL_LENGTH = 2048
# A name has 253 characters and its shortest macro stands for one of them with four.
_LONGEST_DOMAIN = 2048


class SpfError(RecordError):
    """A record that RFC 7208 does not allow; receivers answer ``permerror`` to all mail (§4.6).

    Codes: ``version``, ``character``, ``mechanism``, ``argument``, ``domain``, ``network``,
    ``cidr``, ``macro``, ``duplicate_modifier``, ``too_long``.
    """


class Qualifier(StrEnum):
    """What a match means (§4.6.2)."""

    PASS = "+"  # noqa: S105 - no password
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"


class MechanismName(StrEnum):
    """The mechanisms (§5)."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


_LOOKING_UP = frozenset(MechanismName) - {
    MechanismName.ALL,
    MechanismName.IP4,
    MechanismName.IP6,
}
_WITH_DOMAIN = frozenset({MechanismName.INCLUDE, MechanismName.EXISTS})
_WITH_CIDR = frozenset({MechanismName.A, MechanismName.MX})


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One directive.

    ``domain`` is the domain-spec as written, "" for the current domain; ``network`` is that of
    ``ip4`` and ``ip6``; the prefix lengths are those of ``a`` and ``mx``; ``offset`` is its place.
    """

    name: MechanismName
    qualifier: Qualifier = Qualifier.PASS
    domain: str = ""
    network: IPv4Network | IPv6Network | None = None
    ip4_prefix: int = _IPV4_BITS
    ip6_prefix: int = _IPV6_BITS
    offset: int = 0

    @property
    def looks_up(self) -> bool:
        """Whether it counts against the limit of ten (§4.6.4)."""
        return self.name in _LOOKING_UP


@dataclass(frozen=True, slots=True)
class Modifier:
    """``name=value``; the name in lower case (§6)."""

    name: str
    value: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A record's terms in their order."""

    mechanisms: tuple[Mechanism, ...] = ()
    modifiers: tuple[Modifier, ...] = ()

    @property
    def all_qualifier(self) -> Qualifier | None:
        """What the record says of everyone else; None where it has no ``all`` (§5.1)."""
        return next((m.qualifier for m in self.mechanisms if m.name is MechanismName.ALL), None)

    @property
    def redirect(self) -> str | None:
        """The domain whose record takes over; None where there is none or ``all`` hides it (§6.1)."""
        return None if self.all_qualifier is not None else self._modifier("redirect")

    @property
    def explanation(self) -> str | None:
        """The ``exp`` modifier (§6.2)."""
        return self._modifier("exp")

    @property
    def reachable(self) -> tuple[Mechanism, ...]:
        """The mechanisms up to ``all``; those after it are never tested (§5.1)."""
        names = [mechanism.name for mechanism in self.mechanisms]
        end = names.index(MechanismName.ALL) + 1 if MechanismName.ALL in names else len(names)
        return self.mechanisms[:end]

    def _modifier(self, name: str) -> str | None:
        return next((m.value for m in self.modifiers if m.name == name), None)


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record: ``v=spf1`` and a space or the end (§4.5)."""
    return _VERSION.match(text) is not None


def parse(text: str) -> SpfRecord:
    """The record's terms.

    Raises:
        SpfError: anything that the ABNF of RFC 7208 §12 does not allow, located.
    """
    return (_of_usual_length if len(text) <= _USUAL_LENGTH else _of_any_length)(text)


def usable_record(texts: Iterable[str]) -> SpfRecord | None:
    """The SPF record among a name's TXT texts (§4.5); None where there is none, several, or a broken one."""
    records = [text for text in texts if is_spf(text)]
    try:
        return parse(records[0]) if len(records) == 1 else None
    except SpfError:
        return None


def _read(text: str) -> SpfRecord:
    if not is_spf(text):
        raise SpfError("version", f"{quoted(text)} does not start with `v=spf1`")
    if len(text) > _LONGEST:
        raise SpfError("too_long", f"{len(text)} characters are more than {_LONGEST}", _LONGEST)
    _check_characters(text)
    mechanisms: list[Mechanism] = []
    modifiers: list[Modifier] = []
    for term, offset in _terms(text):
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            mechanisms.append(_mechanism(term, offset))
        else:
            modifiers.append(_modifier(modifier[1].lower(), modifier[2], offset, modifiers))
    return SpfRecord(tuple(mechanisms), tuple(modifiers))


# The same record is read for each address of a sender, and for each level of a tree of includes. The
# longest ones take a megabyte each, so that fewer of them are kept.
_of_usual_length = lru_cache(maxsize=64)(_read)
_of_any_length = lru_cache(maxsize=8)(_read)


def _check_characters(text: str) -> None:
    found = _NOT_PRINTABLE.search(text)
    if found is not None:
        message = f"character {quoted(found[0])} is not allowed; terms are parted by spaces"
        raise SpfError("character", message, found.start())


def _terms(text: str) -> Iterator[tuple[str, int]]:
    for found in _TERM.finditer(text, len("v=spf1")):
        yield found[0], found.start()


def _modifier(name: str, value: str, offset: int, before: list[Modifier]) -> Modifier:
    if name in {"redirect", "exp"}:
        if any(modifier.name == name for modifier in before):
            # RFC 7208 §6: "MUST NOT appear in a record more than once each".
            raise SpfError("duplicate_modifier", f"`{name}` occurs more than once", offset)
        _check_domain(name, value, offset)
    elif not is_macro_string(value):
        raise SpfError("macro", f"{quoted(value)} has a wrong macro", offset)
    return Modifier(name, value, offset)


def _mechanism(term: str, offset: int) -> Mechanism:
    found = _DIRECTIVE.fullmatch(term)
    # The expression takes any text; mypy cannot know.
    sign, word, rest = found.groups() if found else ("", "", term)
    try:
        name = MechanismName(word.lower())
    except ValueError:
        message = f"{quoted(term)} is no mechanism"
        raise SpfError("mechanism", message, offset) from None
    qualifier = Qualifier(sign or "+")
    if name is MechanismName.ALL:
        if rest:
            raise SpfError("argument", f"`all` takes no argument: {quoted(term)}", offset)
        return Mechanism(name, qualifier, offset=offset)
    if name in {MechanismName.IP4, MechanismName.IP6}:
        network = _network(name, rest, offset)
        return Mechanism(name, qualifier, network=network, offset=offset)
    return _domain_mechanism(name, qualifier, rest, offset)


def _domain_mechanism(
    name: MechanismName, qualifier: Qualifier, rest: str, offset: int
) -> Mechanism:
    prefixes = (_IPV4_BITS, _IPV6_BITS)
    if name in _WITH_CIDR:
        rest, prefixes = _dual_cidr(rest, offset)
    if not rest and name not in _WITH_DOMAIN:
        return Mechanism(name, qualifier, "", None, *prefixes, offset)
    if not rest.startswith(":"):
        raise SpfError("argument", f"`{name}` needs `:` and a domain: {quoted(rest)}", offset)
    _check_domain(name, rest[1:], offset)
    return Mechanism(name, qualifier, rest[1:], None, *prefixes, offset)


def _check_domain(name: str, text: str, offset: int) -> None:
    if len(text) > _LONGEST_DOMAIN:
        message = f"`{name}`: a domain of {len(text)} characters, {_LONGEST_DOMAIN} are read"
        raise SpfError("too_long", message, offset)
    if not is_domain_spec(text):
        code = "macro" if "%" in text and not is_macro_string(text) else "domain"
        raise SpfError(code, f"`{name}`: {quoted(text)} is no domain", offset)


def _dual_cidr(rest: str, offset: int) -> tuple[str, tuple[int, int]]:
    """What stands before the prefix lengths, and these. Other slashes belong to the domain-spec."""
    found = _DUAL_CIDR.search(rest)
    ip4, ip6 = found.groups() if found else (None, None)
    prefixes = (_prefix(ip4, _IPV4_BITS, offset), _prefix(ip6, _IPV6_BITS, offset))
    return rest[: found.start()] if found else rest, prefixes


def _prefix(text: str | None, most: int, offset: int) -> int:
    if text is None:
        return most
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise SpfError("cidr", f"{quoted('/' + text)} is no prefix length up to {most}", offset)
    return int(text)


def _network(name: MechanismName, rest: str, offset: int) -> IPv4Network | IPv6Network:
    if not rest.startswith(":"):
        raise SpfError("argument", f"`{name}` needs `:` and an address", offset)
    address, slash, length = rest[1:].partition("/")
    prefix = length if slash else None
    try:
        if name is MechanismName.IP4:
            ip4 = IPv4Address(address)
            # By its number: the network would read the address's text once more.
            return IPv4Network((int(ip4), _prefix(prefix, _IPV4_BITS, offset)), strict=False)
        ip6 = IPv6Address(address)
        if ip6.scope_id is not None:
            raise ValueError(address)  # noqa: TRY301 - RFC 4291 §2.2 knows no zone
        return IPv6Network((int(ip6), _prefix(prefix, _IPV6_BITS, offset)), strict=False)
    except SpfError:
        raise
    except ValueError:
        message = f"`{name}`: {quoted(address)} is no such address"
        raise SpfError("network", message, offset) from None
