"""The platforms that a sender may name: those of `monitor.protocol.platforms`, and own mail servers."""

from monitor.protocol.platforms import PLATFORMS

_MAIL_SERVERS = (
    "exchange",
    "exim",
    "haraka",
    "kumomta",
    "maddy",
    "mox",
    "opensmtpd",
    "postal",
    "postfix",
    "powermta",
    "qmail",
    "sendmail",
    "stalwart",
)

KNOWN_PLATFORMS = frozenset({"other", *_MAIL_SERVERS, *(platform.name for platform in PLATFORMS)})
"""Names for `senders[].platform`."""
