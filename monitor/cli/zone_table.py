"""Zones as a person reads them: the list, all of one, and what came of trying them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.check import DeadZone, ZoneCode, ZoneFacts, ZoneStanding, ZoneState, ZoneTrial
from monitor.cli.table import NARROW, SEE_ABOVE, STYLES, UNSEEN_WIDTH
from monitor.cli.zone_report import Trials
from monitor.web.text import counted, one_line, visible

_TITLES = {
    ZoneStanding.ASKED: "Asked now",
    ZoneStanding.OFFERED: "To choose",
    ZoneStanding.WANTS_KEY: "Want a key",
}
_GRAVITY_STYLES = {"page": STYLES["critical"], "ticket": STYLES["warning"], "info": STYLES["info"]}
_SYMBOLS = {
    ZoneState.USABLE: "✓",
    ZoneState.REFUSED: "!",
    ZoneState.SILENT: "!",
    ZoneState.LISTS_EVERYONE: "✗",
    ZoneState.DEAD: "✗",
    ZoneState.UNKNOWN: "?",
}
_STATE_STYLES = {
    ZoneState.USABLE: STYLES["ok"],
    ZoneState.REFUSED: STYLES["warning"],
    ZoneState.SILENT: STYLES["warning"],
    ZoneState.LISTS_EVERYONE: STYLES["critical"],
    ZoneState.DEAD: STYLES["critical"],
    ZoneState.UNKNOWN: STYLES["unknown"],
}
_ROOMY = 96
"""Columns from which the list names the operators, and a code's meaning stands beside what it is about."""
_COLUMNS = 76
"""Columns below which the list has no room for limits."""
_NOTE = 2000
"""Characters of a note that are shown."""


def print_list(
    living: Sequence[tuple[str, ZoneFacts]],
    dead: int,
    stream: TextIO,
    environ: Mapping[str, str],
) -> None:
    """Every living zone in a line, by where it stands."""
    console = _console(stream, environ)
    console.print()
    console.print(_list_of([facts for _check, facts in living], console.width))
    gone = f" {counted(dead, 'zone')} more are known to be dead." if dead else ""
    console.print(
        _indented(
            Text(
                f"`deliverability zones ZONE` tells all of one, `--test` asks them now.{gone}",
                style="dim",
            )
        )
    )
    console.print()


def print_details(
    living: Sequence[tuple[str, ZoneFacts]],
    dead: Sequence[tuple[str, DeadZone]],
    stream: TextIO,
    environ: Mapping[str, str],
) -> None:
    """All that is known of each."""
    console = _console(stream, environ)
    for _check, facts in living:
        console.print()
        console.print(_indented(Text(facts.name, style="bold")))
        console.print(_indented(_grid(_facts(facts, console.width))))
    for _check, zone in dead:
        console.print()
        console.print(
            _indented(Text.assemble((zone.name, "bold"), ("  ✗ dead", STYLES["critical"])))
        )
        console.print(_indented(_grid(_epitaph(zone))))
    console.print()


def print_trials(trials: Trials, stream: TextIO, environ: Mapping[str, str]) -> None:
    """What came of trying them; our own trouble first."""
    console = _console(stream, environ)
    console.print()
    for said in _about_ourselves(trials):
        console.print(_indented(said))
        console.print()
    results = [trial for _check, trial in trials.results]
    if console.width < NARROW:
        for trial in results:
            took = f", {_time(trial)} ms" if trial.seconds else ""
            console.print(Text.assemble(_state(trial.state), f" {trial.zone}{took}"))
            if why := _why(trial, trials.own_trouble):
                console.print(Padding(Text(why), (0, 0, 0, 2)))
        console.print()
    else:
        console.print(_trials(results, trials.own_trouble))
    console.print(_indented(_closing(trials)))
    console.print()


def _console(stream: TextIO, environ: Mapping[str, str]) -> Console:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal that has no ✓ still shows the words
    unseen = not stream.isatty() and "COLUMNS" not in environ
    return Console(file=stream, highlight=False, width=UNSEEN_WIDTH if unseen else None)


# --- the list --------------------------------------------------------------------------------------


def _list_of(zones: Sequence[ZoneFacts], width: int) -> RenderableType:
    groups = {
        standing: of_it
        for standing in ZoneStanding
        if (of_it := [facts for facts in zones if facts.standing is standing])
    }
    titles = {
        standing: Text(f"{_TITLES[standing]} ({len(of_it)})", style="bold")
        for standing, of_it in groups.items()
    }
    if width < _COLUMNS:
        return Group(*_lines(groups, titles))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Zone", no_wrap=True)
    table.add_column("Lists")
    table.add_column("At worst")
    table.add_column("Limit\na day" if width < _ROOMY else "Limit a day", justify="right")
    if width >= _ROOMY:
        table.add_column("Operator", overflow="fold")
    for standing, of_it in groups.items():
        if table.row_count:
            table.add_row()
        table.add_row(titles[standing])
        for facts in of_it:
            table.add_row(*_cells(facts)[: len(table.columns)])
    return table


def _lines(
    groups: Mapping[ZoneStanding, Sequence[ZoneFacts]], titles: Mapping[ZoneStanding, Text]
) -> Iterator[Text]:
    for number, (standing, of_it) in enumerate(groups.items()):
        if number:
            yield Text()
        yield titles[standing]
        yield from (Text.assemble(" ", f.name, " ", _gravity(f.severity)) for f in of_it)


def _cells(facts: ZoneFacts) -> tuple[str | Text, ...]:
    kinds = " ".join(facts.kinds)
    keyed = facts.standing is ZoneStanding.WANTS_KEY
    who = ", ".join(filter(None, (facts.operator, f"key {facts.key}" if keyed else "")))
    return f"  {facts.name}", kinds, _gravity(facts.severity), _limit(facts), who


def _limit(facts: ZoneFacts) -> str:
    return "" if facts.queries_a_day is None else f"{facts.queries_a_day:,}"


def _gravity(severity: str) -> Text:
    return Text(severity, style=_GRAVITY_STYLES.get(severity, "dim"))


# --- all of one ------------------------------------------------------------------------------------


def _facts(facts: ZoneFacts, width: int) -> Iterator[tuple[str, RenderableType]]:
    """What there is to say, by a word or two."""
    yield "is", _standing(facts)
    yield "lists", Text(", ".join(facts.kinds))
    yield "answers", _codes(facts, width)
    if facts.not_listed:
        yield "no listing", Text(", ".join(facts.not_listed))
    yield "refuses by", Text(", ".join(["127.255.255.0/24", *facts.refusals]))
    yield "test entries", Text("\n".join(_entries(facts)))
    yield "limit", Text(", ".join(_limits(facts)) or "no number is known")
    texts = {
        "serves": facts.whom_it_serves,
        "terms": facts.terms,
        "used by": facts.used_by,
        "operator": facts.operator,
        "delisting": facts.delist,
        "in place of": facts.instead_of,
        "contains": ", ".join(facts.contains),
        "notes": facts.notes,
        "sources": ", ".join(facts.sources),
    }
    for name, text in texts.items():
        if text:
            yield name, Text(visible(text, limit=_NOTE))


def _standing(facts: ZoneFacts) -> Text:
    words = {
        ZoneStanding.ASKED: "asked now",
        ZoneStanding.OFFERED: "to choose",
        ZoneStanding.WANTS_KEY: "asked with a key",
    }
    text = Text(words[facts.standing])
    if facts.to_be_asked:
        text.append(f": {facts.to_be_asked}", style="dim")
    return text


def _codes(facts: ZoneFacts, width: int) -> RenderableType:
    if not facts.codes:
        return Text("no listing that is known")
    if width < _ROOMY:
        return Text("\n").join(
            Text.assemble(
                code.code, "  ", _gravity(code.severity), f"  {code.meaning}", _about(code, "\n  ")
            )
            for code in facts.codes
        )
    table = Table.grid(padding=(0, 2))
    for code in facts.codes:
        table.add_row(code.code, _gravity(code.severity), code.meaning, _about(code))
    return table


def _about(code: ZoneCode, before: str = "") -> Text:
    """What such a listing is about, and how grave it is where that depends."""
    about = f"about the {code.scope}" if code.scope else ""
    if code.receiving != code.severity:
        about = f"{about}; {code.receiving} where no mail leaves from it".removeprefix("; ")
    return Text(f"{before}{about}" if about else "", "dim")


def _entries(facts: ZoneFacts) -> Iterator[str]:
    for entry in facts.entries:
        listed = f"lists {entry.listed}" if entry.listed else "has no entry that it lists"
        yield f"{entry.kind}: {listed}, does not list {entry.clean}"


def _limits(facts: ZoneFacts) -> Iterator[str]:
    if facts.queries_a_day is not None:
        yield f"{facts.queries_a_day:,} questions a day"
    if facts.queries_a_second is not None:
        yield f"{facts.queries_a_second:g} a second"


def _epitaph(zone: DeadZone) -> Iterator[tuple[str, RenderableType]]:
    texts = {
        "since": zone.since,
        "does": f"it {zone.does}",
        "notes": zone.notes,
        "sources": ", ".join(zone.sources),
    }
    for name, text in texts.items():
        if text:
            yield name, Text(visible(text, limit=_NOTE))


def _grid(rows: Iterator[tuple[str, RenderableType]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, content in rows:
        grid.add_row(name, content)
    return grid


# --- trials ----------------------------------------------------------------------------------------


def _trials(results: Sequence[ZoneTrial], own_trouble: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("State", no_wrap=True)
    table.add_column("Zone", overflow="fold")
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for trial in results:
        why = _why(trial, own_trouble)
        table.add_row(_state(trial.state), trial.zone, _time(trial), why)
    return table


def _why(trial: ZoneTrial, own_trouble: str) -> str:
    ours = bool(own_trouble) and trial.reason == own_trouble
    return SEE_ABOVE if ours else one_line(trial.reason)


def _about_ourselves(trials: Trials) -> Iterator[Text]:
    if trials.own_trouble:
        yield Text.assemble(
            ("The trouble is here, not at the zones: ", STYLES["unknown"]),
            one_line(trials.own_trouble),
        )
    if trials.public:
        yield Text.assemble(
            ("Asked through a public resolver: ", STYLES["warning"]),
            f"{', '.join(trials.public)}. Most zones refuse those; some only say nothing of anybody. "
            "An own recursive resolver (resolver.nameservers) mends that.",
        )


def _closing(trials: Trials) -> Text:
    results = [trial for _check, trial in trials.results]
    counts = [
        f"{sum(trial.state is state for trial in results)} {_word(state)}"
        for state in ZoneState
        if any(trial.state is state for trial in results)
    ]
    total = counted(len(results), "zone")
    return Text(f"{', '.join(counts) or 'nothing'} of {total} in {trials.seconds:.1f} s.", "dim")


def _state(state: ZoneState) -> Text:
    return Text(f"{_SYMBOLS[state]} {_word(state)}", style=_STATE_STYLES[state], no_wrap=True)


def _word(state: ZoneState) -> str:
    return state.replace("_", " ")


def _time(trial: ZoneTrial) -> str:
    return f"{trial.seconds * 1000:.0f}" if trial.seconds else ""


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 1), expand=False)
