"""What ``check_host()`` is given by the resolver, and what it answers (RFC 7208 §2.6 and §4.1)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Result(StrEnum):
    """What an evaluation comes to (§2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the resolver says to one question.

    Attributes:
        records: TXT strings joined without a space and decoded as latin-1, addresses as text, MX as
            ``10 mx.example.com``, PTR names. Empty where the name has none, or does not exist.
        failure: why there is no answer (time-out, SERVFAIL, …); "" where there is one.
    """

    records: tuple[str, ...] = ()
    failure: str = ""


class Lookup(Protocol):
    """Asks one question: ``name`` without its final dot, ``rtype`` one of TXT, A, AAAA, MX, PTR."""

    async def __call__(self, name: str, rtype: str, /) -> Answer:
        """The answer. Whatever it raises ends the evaluation."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the evaluation came by: a term that looked up or decided, and what it came to.

    ``depth`` counts the records that led here by ``include`` or ``redirect``.
    """

    depth: int
    domain: str
    term: str
    outcome: str

    def __str__(self) -> str:
        """One line, indented by depth."""
        return f"{'  ' * self.depth}{self.domain}: {self.term} → {self.outcome}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ``check_host()`` answers, and why.

    Attributes:
        reason: a sentence for people; quotes text from outside, escaped and cut.
        domain, term: whose record decided, and by which of its terms as written; "" where none did.
        explanation: the domain's own words for a ``fail`` (§6.2); "" where it has none that can be used.
        lookups, void_lookups: how many of the ten and of the two were used up (§4.6.4).
        trace: the way to the answer, in its order.
    """

    result: Result
    reason: str
    domain: str = ""
    term: str = ""
    explanation: str = ""
    lookups: int = 0
    void_lookups: int = 0
    trace: tuple[Step, ...] = ()
