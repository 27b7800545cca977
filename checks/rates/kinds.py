"""The kinds of ratios, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.model import Counts

WINDOWS: Mapping[int, str] = {300: "5m", 3600: "1h", 86400: "24h"}
"""Seconds of each window -> its label."""

SHORT, LONG, DAY = WINDOWS
"""A limit is crossed when it is in the long window, and still in the short one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of ratio.

    Attributes:
        name: the label `kind`, and the key under `thresholds`.
        code, title: of its finding.
        happened: the messages that count against the sender.
        messages: those that they are a share of.
        trusted: whether what a sender reported in a day makes `messages` trustworthy; else `distrust` is why not.
        words: what happened to the messages, in a sentence; `fix` is what to do about it.
    """

    name: str
    code: str
    title: str
    happened: Callable[[Counts], int]
    messages: Callable[[Counts], int]
    trusted: Callable[[Counts], bool]
    distrust: str
    words: str
    fix: str


BOUNCE = Kind(
    name="bounce",
    code="bounce_high",
    title="too much of the mail bounces",
    happened=lambda counts: counts.bounced,
    # Some sources say when a message was accepted, others only how it ended, some both.
    messages=lambda counts: max(counts.accepted, counts.delivered + counts.bounced),
    trusted=lambda counts: counts.accepted + counts.delivered > 0,
    distrust=(
        "its events tell of bounces and of no accepted or delivered message in 24 hours, so there is "
        "nothing to take a share of: have the source send `accepted` or `delivered` events too"
    ),
    words="bounced",
    fix=(
        "Look at the reasons of the newest bounces: unknown recipients (an old or bought list: stop "
        "that campaign, remove the addresses), blocks (see blocklist, and the text of the reply), or one "
        "provider only (slow down there). Stop the stream until the cause is known."
    ),
)

KINDS = (BOUNCE,)
