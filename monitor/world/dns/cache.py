"""A bounded cache of DNS answers that keeps knowledge only: a failure is asked again."""

from collections import OrderedDict

from monitor.check import Clock, DnsAnswer, DnsStatus, Question

POSITIVE_SECONDS = 3600
"""Records are kept for their TTL, at most this long: a change is seen within the hour."""
NEGATIVE_SECONDS = 300
"""`no such name` and `no such records` are kept at most this long (RFC 2308 §5 allows hours)."""

_LONGEST = {
    DnsStatus.OK: POSITIVE_SECONDS,
    DnsStatus.NODATA: NEGATIVE_SECONDS,
    DnsStatus.NXDOMAIN: NEGATIVE_SECONDS,
}


class AnswerCache:
    """Answers by question, until their TTL ends by the monotonic clock; the least recently used go first."""

    def __init__(self, *, size: int, clock: Clock) -> None:
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[Question, tuple[float, DnsAnswer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question) -> DnsAnswer | None:
        """The answer kept for the question, with the TTL it came with."""
        kept = self._kept.get(question)
        if kept is None:
            return None
        until, answer = kept
        if until <= self._clock.monotonic():
            del self._kept[question]
            return None
        self._kept.move_to_end(question)
        return answer

    def put(self, answer: DnsAnswer) -> None:
        """Keep the answer; one that tells nothing, or has no time to live, replaces nothing."""
        seconds = min(answer.ttl, _LONGEST.get(answer.status, 0))
        if seconds <= 0:
            return
        self._kept[answer.question] = (self._clock.monotonic() + seconds, answer)
        self._kept.move_to_end(answer.question)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
