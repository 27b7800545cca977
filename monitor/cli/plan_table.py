"""The plan as a person reads it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.cli.planning import DAY, PartyPlan, Plan, Verdict
from monitor.cli.table import NARROW, STYLES, UNSEEN_WIDTH
from monitor.web.text import counted, one_line

_PLURALS = {"address": "addresses"}
_WIDE = 96
"""Columns from which looks and proofs have each their own."""
_SCARCE = frozenset({Verdict.TIGHT, Verdict.OVER})
_VERDICTS = {
    Verdict.UNLIMITED: ("", ""),
    Verdict.WITHIN: ("✓ within", STYLES["ok"]),
    Verdict.TIGHT: ("! tight", STYLES["warning"]),
    Verdict.OVER: ("! over", STYLES["warning"]),
}
_TERMS = 300
"""Characters of a party's terms that are shown."""


def print_plan(plan: Plan, stream: TextIO, environ: Mapping[str, str]) -> None:
    """Print the plan to `stream`, fitted to its width, with colours where it is a terminal."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal that has no ✓ still shows the words
    unseen = not stream.isatty() and "COLUMNS" not in environ
    console = Console(file=stream, highlight=False, width=UNSEEN_WIDTH if unseen else None)
    console.print(_looks(plan))
    for check in dict.fromkeys(party.check for party in plan.parties):
        parties = [party for party in plan.parties if party.check == check]
        console.print(Padding(Text(f"Whom {check} asks", "bold"), (0, 1)))
        console.print(_parties(parties, console.width))
        for said in _said(parties):
            console.print(Padding(said, (0, 1, 1, 1), expand=False))
    if plan.undiscovered:
        names = ", ".join(plan.undiscovered)
        why = one_line(plan.own_trouble) or "the DNS does not tell"
        text = Text(f"Not counted: hosts of {names}: {why}.")
        console.print(Padding(text, (0, 1), expand=False))
    for one in plan.left_out:
        text = Text(f"Not looked at: {one.domain}: {one_line(one.what, limit=_TERMS)}.")
        console.print(Padding(text, (0, 1), expand=False))


def interval_text(seconds: float) -> str:
    """As the configuration has it: `2h`."""
    for unit, size in (("d", DAY), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def _looks(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Check", no_wrap=True)
    table.add_column("Looks at", overflow="fold")
    table.add_column("Every", justify="right")
    table.add_column("Looks a day", justify="right")
    for check in plan.checks:
        targets = ", ".join(
            counted(n, kind, _PLURALS.get(kind)) for kind, n in check.targets.items()
        )
        table.add_row(
            check.check,
            targets or "nothing",
            interval_text(check.interval),
            f"{check.looks_a_day:,}",
        )
    return table


def _parties(parties: Sequence[PartyPlan], width: int) -> RenderableType:
    """A line each; columns only for what one of them has."""
    if width < NARROW:
        return Group(*(Padding(Text.assemble(*_in_words(party)), (0, 1)) for party in parties))
    seconds = any(party.limits.a_second is not None for party in parties)
    scarce = any(party.verdict in _SCARCE for party in parties)
    apart = width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Party", overflow="fold")
    for title in ("Looks", "Proofs") if apart else ("Asked",):
        table.add_column(f"{title}\na day", justify="right")
    table.add_column("Limit\na day", justify="right")
    if seconds:
        table.add_column("In a\nsecond", justify="right")
    table.add_column("", no_wrap=True)
    if scarce:
        table.add_column("Fits", no_wrap=True)
    for party in parties:
        looks_and_proofs = (party.looks_a_day, party.proofs_a_day)
        table.add_row(
            party.party,
            *map(_number, looks_and_proofs if apart else (party.questions_a_day,)),
            _number(party.limits.a_day),
            *((_in_a_second(party),) if seconds else ()),
            Text.assemble(_VERDICTS[party.verdict]),
            *((_fits(party),) if scarce else ()),
        )
    return table


def _in_words(party: PartyPlan) -> Iterator[str | tuple[str, str]]:
    yield f"{party.party}: {_number(party.questions_a_day)} a day"
    limits = ((party.limits.a_day, "a day"), (party.limits.a_second, "a second"))
    if known := [f"{_number(limit)} {of}" for limit, of in limits if limit is not None]:
        yield f", limit {', '.join(known)} "
        yield _VERDICTS[party.verdict]
    if party.verdict in _SCARCE:
        yield f", fits: {_fits(party)}"


def _number(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


def _in_a_second(party: PartyPlan) -> str:
    limit = party.limits.a_second
    of = "" if limit is None else f" of {_number(limit)}"
    return f"{_number(party.peak_a_second)}{of}"


def _fits(party: PartyPlan) -> str:
    if party.verdict not in _SCARCE:
        return ""
    return "never" if party.fits is None else f"every {interval_text(party.fits)}"


def _said(parties: Sequence[PartyPlan]) -> Iterator[Text]:
    """What the table means, and on what terms parties may be asked."""
    scarce = _SCARCE & {party.verdict for party in parties}
    if scarce:
        often = "at times" if scarce == {Verdict.TIGHT} else "all the time"
        yield Text(
            f"Limits are kept whatever the interval: where a party's are {' or '.join(sorted(scarce))}, looks are put "
            f"off {often}, and what was known stays shown. What was listed lately comes first, then what sends "
            "much, then whoever has waited longest; nobody is left out. To have everything asked each time, set "
            f"checks.{parties[0].check}.interval to what fits, or name fewer zones.",
            "dim",
        )
    if any(p.limits.a_second and p.peak_a_second > p.limits.a_second for p in parties):
        yield Text(
            "Looks that come together where a second has room for fewer wait some seconds for each other.",
            "dim",
        )
    parties_by_terms: dict[str, list[str]] = {}
    for party in parties:
        if party.terms:
            parties_by_terms.setdefault(party.terms, []).append(party.party)
    if parties_by_terms:
        text = Text("Terms", "bold")
        for terms, names in parties_by_terms.items():
            text.append(f"\n{', '.join(names)}: ", "not bold")
            text.append(one_line(terms, limit=_TERMS), "not bold dim")
        yield text
