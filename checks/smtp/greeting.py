"""What a host says of itself: its name, how long it takes to greet, and what it can do (RFC 5321 §4.1.1.1)."""

from collections.abc import Iterator, Sequence

from checks.smtp.conversed import Conversed
from monitor.check import Code, SmtpConversation
from monitor.model import Finding, HostTarget, Sample, Severity
from monitor.protocol.names import is_host_name

CODES = (
    Code("banner_slow", Severity.WARNING, "the greeting comes late"),
    Code("greeting_name_invalid", Severity.INFO, "the host's name for itself is none"),
    Code("extension_missing", Severity.INFO, "an extension that every server has is missing"),
    Code("size_limit_low", Severity.INFO, "messages of usual size are too large"),
)

EXTENSIONS = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8")
"""Those shown of each host: RFC 2920, 1870, 6152 and 6531."""
_EXPECTED = ("PIPELINING", "8BITMIME")
_SMALL_BYTES = 10_000_000
_LONGEST_NUMBER = 20  # digits, RFC 1870 §3
_LOCAL_ENDINGS = (".local", ".localdomain", ".lan", ".internal", ".invalid")


def findings(target: HostTarget, one: Conversed, slow_seconds: float) -> Iterator[Finding]:
    """What is odd about the greeting; `slow_seconds` is the limit of the banner."""
    talk = one.conversation
    where = f"{target.name} at {talk.address}"
    banner_seconds = talk.phases.get("banner", 0.0)
    if banner_seconds >= slow_seconds:
        yield Finding(
            "banner_slow",
            f"{where} takes {banner_seconds:.1f} s to greet (limit: {slow_seconds:g} s)",
            fix=(
                "Look for blocklists or name servers that it asks before it greets and that do not answer, "
                "and for a full process table; senders give up after five minutes, many sooner."
            ),
            evidence=talk.banner,
        )
    if "ehlo" not in talk.phases:
        return
    if odd := _odd_name(one):
        yield Finding(
            "greeting_name_invalid",
            f"{where} {odd}",
            fix=(
                "Set the server's own name (postfix: myhostname, smtpd_banner) to one that resolves to its address; "
                "asterisks come from a firewall's SMTP inspection, which is better off."
            ),
            evidence=f"banner: {talk.banner}\nEHLO: {talk.greeting}",
        )
    if missing := [name for name in _EXPECTED if name not in talk.extensions]:
        yield Finding(
            "extension_missing",
            f"{where} does not offer {' and '.join(missing)}",
            fix="Turn them on (RFC 2920, RFC 6152); a firewall that inspects SMTP often hides them.",
            evidence=f"EHLO: {' '.join(sorted(talk.extensions)) or 'no extension'}",
        )
    limit = size_limit(talk)
    if limit is not None and limit < _SMALL_BYTES:
        yield Finding(
            "size_limit_low",
            f"{where} takes messages of {limit / 1e6:.1f} MB at most",
            fix="Raise the limit (postfix: message_size_limit) above the 25 MB that large providers send.",
            evidence=f"SIZE {talk.extensions['SIZE']}",
        )


def greeting_name(talk: SmtpConversation) -> str:
    """The name that the host gives itself in its reply to EHLO; "" where it gives none."""
    return _first_word(talk.greeting)


def size_limit(talk: SmtpConversation) -> int | None:
    """The largest message in bytes; None where no limit is told (RFC 1870 §4: 0 means none is fixed)."""
    text = talk.extensions.get("SIZE", "")
    told = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) or None if told else None


def is_full_name(name: str) -> bool:
    """Whether a name may stand in a greeting: a host's full name that is not only known at home."""
    at_home = name.lower().removesuffix(".").endswith(_LOCAL_ENDINGS)
    return is_host_name(name) and "." in name.strip(".") and not at_home


def samples(talks: Sequence[SmtpConversation]) -> Iterator[Sample]:
    """What the host's addresses can do together: an extension counts where each of them has it."""
    told = [talk for talk in talks if "ehlo" in talk.phases]
    if not told:
        return
    for name in EXTENSIONS:
        offered = all(name in talk.extensions for talk in told)
        yield Sample("smtp_extension_offered", float(offered), {"extension": name})
    if limits := [limit for talk in told if (limit := size_limit(talk)) is not None]:
        yield Sample("smtp_size_limit_bytes", min(limits))


def _odd_name(one: Conversed) -> str:
    """What is wrong with its names; "" where nothing is. An address literal is a name too (RFC 5321 §4.2)."""
    talk = one.conversation
    for what, text in (("its banner", talk.banner), ("its reply to EHLO", talk.greeting)):
        name = _first_word(text)
        if not name:
            return f"gives no name in {what}"
        if not (is_full_name(name) or name.startswith("[")):
            return f"gives a name in {what} that is no host's full name"
    if one.nameless:
        return "calls itself by a name that has no address"
    return ""


def _first_word(text: str) -> str:
    return next(iter(text.split(maxsplit=1)), "")
