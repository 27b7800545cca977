"""Whether an authenticated domain aligns with the author's domain (RFC 9989 §4.4)."""

from collections.abc import Mapping

from monitor.protocol.dmarc.record import Alignment


def aligned(
    author: str, authenticated: str, organizational: Mapping[str, str], mode: Alignment
) -> bool:
    """Whether DMARC takes `authenticated` (an envelope domain, a DKIM `d=`) for mail of `author`.

    `organizational` has the organizational domain of both names, as `discover` tells it. Strict: the
    names are the same; relaxed: their organizational domains are. Names in lower case.
    """
    if author == authenticated:
        return True
    return mode is Alignment.RELAXED and organizational[author] == organizational[authenticated]
