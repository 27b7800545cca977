"""The report as a person reads it: a table where there is room, a list where there is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.cli.report import GRAVITY, Report, Result
from monitor.model import Status
from monitor.web.text import counted, one_line, visible

WIDE = 116
"""Columns from which the advice has a column of its own."""
NARROW = 60
"""Columns below which a table is hard to read."""
UNSEEN_WIDTH = 120
"""Columns where nobody says how many there are: a file, a pipe."""

REASONS_SHOWN = 3
EVIDENCE_SHOWN = 110
TARGETS_SHOWN = 4
SEE_ABOVE = "our own trouble, see above"

SYMBOLS = {"ok": "✓", "warning": "!", "critical": "✗", "unknown": "?", "info": "·"}
STYLES = {
    "ok": "green",
    "warning": "bold yellow",
    "critical": "bold red",
    "unknown": "bold magenta",
    "info": "cyan",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `state` is a status, or `info`; `check` and `targets` are "" where the row above has them."""

    state: str
    check: str
    targets: str
    found: Text
    fix: str = ""


def print_report(report: Report, stream: TextIO, environ: Mapping[str, str]) -> None:
    """Print the report to `stream`, fitted to its width, with colours where it is a terminal."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal that has no ✓ still shows the words
    unseen = not stream.isatty() and "COLUMNS" not in environ
    console = Console(file=stream, highlight=False, width=UNSEEN_WIDTH if unseen else None)
    console.print()
    if report.own_trouble:
        console.print(_own_trouble(report))
        console.print()
    rows = list(rows_of(report))
    console.print(_List(rows) if console.width < NARROW else _Table(rows))
    for note in report.notes:
        console.print(_indented(Text(one_line(note), style="dim")))
    console.print(_indented(closing(report)))
    console.print()


def rows_of(report: Report) -> Iterator[Row]:
    """The rows, the gravest results first; targets that a check has nothing or the same to say of share a row."""
    quiet: dict[str, list[Result]] = {}
    kept_from: dict[str, list[Result]] = {}
    for result in report.by_gravity():
        if report.kept_from(result):
            kept_from.setdefault(result.check, []).append(result)
        elif result.status is Status.OK and not result.findings:
            quiet.setdefault(result.check, []).append(result)
        else:
            yield from _rows_of(result, report.own_trouble)
    for check, results in kept_from.items():
        yield Row("unknown", check, _targets(results), Text(SEE_ABOVE))
    for check, results in quiet.items():
        yield Row("ok", check, _targets(results), _nothing(results))


def closing(report: Report) -> Text:
    """One line that sums up, and says no more than is known."""
    status = report.status
    counts = [
        f"{sum(r.status is state for r in report.results)} {state}"
        for state in GRAVITY
        if any(r.status is state for r in report.results)
    ]
    verdict = {
        Status.OK: "nothing wrong was found",
        Status.WARNING: "nothing is broken, but something should be mended",
        Status.CRITICAL: "something needs action now",
        Status.UNKNOWN: "not everything could be looked at, so this is no all-clear",
    }[status]
    results = counted(len(report.results), "result")
    return Text.assemble(
        _state(status),
        f"  {one_line(report.target)}: {verdict}. ",
        (f"{', '.join(counts) or 'nothing'} of {results} in {report.seconds:.1f} s.", "dim"),
    )


def _rows_of(result: Result, own_trouble: str) -> Iterator[Row]:
    check, targets = result.check, one_line(result.target)
    above = ("", "")
    for kept in result.findings:
        finding = kept.finding
        found = Text(one_line(finding.summary))
        if finding.evidence and finding.evidence != above[0]:
            found.append(f"\n{visible(finding.evidence, limit=EVIDENCE_SHOWN)}", style="dim")
        fix = one_line(finding.fix) if finding.fix != above[1] else ""
        yield Row(kept.severity, check, targets, found, fix)
        check = targets = ""
        above = (finding.evidence, finding.fix)
    if result.blind and result.status is not Status.OK:
        yield Row("unknown", check, targets, _reasons(result, own_trouble))


def _reasons(result: Result, own_trouble: str) -> Text:
    """Why it is unknown; what lies with ourselves is told in full once, above the table."""
    reasons = [
        reason.replace(own_trouble, SEE_ABOVE) if own_trouble else reason for reason in result.blind
    ]
    shown = [one_line(reason) for reason in reasons[:REASONS_SHOWN]]
    if more := len(reasons) - len(shown):
        shown.append(f"and {counted(more, 'other reason')}")
    return Text("\n".join(shown))


def _targets(results: list[Result]) -> str:
    names = [one_line(result.target) for result in results]
    if len(names) > TARGETS_SHOWN:
        names = [*names[: TARGETS_SHOWN - 1], f"and {len(names) - TARGETS_SHOWN + 1} others"]
    return "\n".join(names)


def _nothing(results: list[Result]) -> Text:
    """What a clean result rests on: the record seen, or how much could be looked at."""
    text = Text("nothing wrong")
    records = [record for result in results for record in result.records]
    known, subjects = sum(r.known for r in results), sum(r.subjects for r in results)
    if len(records) == 1:
        text.append(f"\n{one_line(records[0], limit=EVIDENCE_SHOWN)}", style="dim")
    elif known < subjects:
        text.append(f" in {known} of {subjects} looks; the others could not tell", style="dim")
        blind = list(dict.fromkeys(reason for result in results for reason in result.blind))
        if blind:
            text.append(f"\n{one_line(blind[0], limit=EVIDENCE_SHOWN)}", style="dim")
        if len(blind) > 1:
            text.append(f"\nand {counted(len(blind) - 1, 'other reason')}", style="dim")
    elif subjects > len(results):
        text.append(f" in {subjects} looks", style="dim")
    return text


def _own_trouble(report: Report) -> RenderableType:
    blame = f"The trouble is here, not at {one_line(report.target)}: "
    return _indented(Text.assemble((blame, STYLES["unknown"]), one_line(report.own_trouble)))


def _state(state: str) -> Text:
    return Text(f"{SYMBOLS[state]} {state}", style=STYLES[state], no_wrap=True)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that has a column for the advice where there is room, else puts it below what was found."""

    rows: list[Row]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        advised = any(row.fix for row in self.rows)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        table.leading = 0 if wide else 1
        table.add_column("Status", no_wrap=True)
        if wide:
            table.add_column("Check", no_wrap=True)
            table.add_column("Target", overflow="fold", max_width=options.max_width // 4)
            table.add_column("Found", overflow="fold", ratio=3)
            if advised:
                table.add_column("What to do", overflow="fold", ratio=2)
        else:
            table.add_column("Check", overflow="fold", max_width=options.max_width * 3 // 10)
            table.add_column("Found, and what to do", overflow="fold", ratio=1)
        for row in self.rows:
            if wide:
                cells = (row.check, row.targets, row.found, *((row.fix,) if advised else ()))
                table.add_row(_state(row.state), *cells)
            else:
                table.add_row(_state(row.state), _title(row), _found_and_fix(row))
        yield table


def _title(row: Row) -> Text:
    return Text.assemble(row.check, ("\n" + row.targets if row.targets else "", "dim"))


def _found_and_fix(row: Row) -> RenderableType:
    if not row.fix:
        return row.found
    advice = Table.grid()
    advice.add_column(no_wrap=True)
    advice.add_column(overflow="fold")
    advice.add_row(Text("→ ", "bold"), row.fix)
    return Group(row.found, advice)


def _indented(what: RenderableType, columns: int = 1) -> Padding:
    return Padding(what, (0, 0, 0, columns), expand=False)


@dataclass(frozen=True, slots=True)
class _List:
    """What a narrow terminal shows in place of the table."""

    rows: list[Row]

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        for row in self.rows:
            targets = row.targets.replace("\n", ", ")
            yield Text.assemble(_state(row.state), f" {row.check} {targets}".rstrip())
            yield _indented(_found_and_fix(row), 2)
        yield Text()
