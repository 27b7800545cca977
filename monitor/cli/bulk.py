"""`check -f FILE`: one look each at many targets, some at once, told in the order of the file."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from monitor.check import Clock
from monitor.cli.oneshot import look, named_target, opened_worlds, task_of
from monitor.cli.report import GRAVITY, Report, as_json
from monitor.cli.table import STYLES, SYMBOLS
from monitor.config.valid import ValidConfig
from monitor.model import Severity, Status, Target
from monitor.web.text import counted, one_line
from monitor.world.build import Worlds

AT_ONCE = 24
"""Targets looked at at once: enough to wait for all of them together, few enough to be no flood."""
AHEAD = 20 * AT_ONCE
"""Targets that are taken up before the first of them is told: one slow target holds up no others."""
MOST_TARGETS = 100_000
CODES_SHOWN = 6
_COMMENT = "#"


class BadListError(Exception):
    """A file of targets that cannot be used; one line for each problem, with file and line."""


def listed(path: Path, stream: Iterable[str]) -> tuple[Target, ...]:
    """The targets of a file in its order, each once. One a line: a domain, an address, or host:port; `#` begins a comment.

    Raises:
        BadListError: a line is none of them, there is none, or there are more than `MOST_TARGETS`.
    """
    targets: dict[str, Target] = {}
    problems: list[str] = []
    for number, line in enumerate(stream, start=1):
        text = line.partition(_COMMENT)[0].strip()
        if not text:
            continue
        try:
            target = named_target(text)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        targets.setdefault(f"{type(target).__name__} {target.name}", target)
        if len(targets) > MOST_TARGETS:
            problems.append(f"{path}:{number}: more than {MOST_TARGETS:,} targets")
            break
    if not targets and not problems:
        problems.append(f"{path}: no targets: write one a line")
    if problems:
        raise BadListError("\n".join(problems))
    return tuple(targets.values())


async def look_at_all(
    targets: Sequence[Target],
    config: ValidConfig,
    only: Sequence[str],
    *,
    clock: Clock,
    seconds: float,
    told: Callable[[Report], None],
) -> None:
    """Look at each, `seconds` at most; `told` gets the reports in the order of the targets."""
    slots = asyncio.Semaphore(AT_ONCE)
    started: deque[asyncio.Task[Report]] = deque()

    async def one(target: Target, worlds: Worlds) -> Report:
        async with slots:
            task = task_of(target, config, only)
            return await look(task, worlds, clock, seconds=seconds, progress=_silent)

    async with opened_worlds(config, clock) as worlds, asyncio.TaskGroup() as tasks:
        for target in targets:
            started.append(tasks.create_task(one(target, worlds)))
            if len(started) == AHEAD:
                told(await started.popleft())
        while started:
            told(await started.popleft())


def _silent(_done: int, _total: int, _last: str) -> None:
    """The progress of one target among many interests nobody."""


# --- what a person or a program sees -----------------------------------------------------------------


class Told:
    """Prints each report as it comes, and counts."""

    def __init__(self, console: Console, *, as_lines: bool, moved: Callable[[], None]) -> None:
        self.counts = dict.fromkeys(GRAVITY, 0)
        self._console = console
        self._as_lines = as_lines
        self._moved = moved

    def __call__(self, report: Report) -> None:
        """One report."""
        self.counts[report.status] += 1
        if self._as_lines:
            self._console.print(json.dumps(as_json(report)), soft_wrap=True, markup=False)
        else:
            self._console.print(line_of(report), soft_wrap=True)
        self._moved()

    @property
    def status(self) -> Status:
        """The gravest of all."""
        return next((s for s in GRAVITY if self.counts[s]), Status.UNKNOWN)

    def closing(self, seconds: float) -> str:
        """One line that sums up."""
        parts = [f"{number} {status}" for status, number in self.counts.items() if number]
        return f"{counted(sum(self.counts.values()), 'target')} in {seconds:.1f} s: {', '.join(parts)}."


def line_of(report: Report) -> Text:
    """A target's status and the codes of what was found, the gravest first."""
    text = Text(f"{SYMBOLS[report.status]} {report.status:<8}", style=STYLES[report.status])
    text.append(f"  {one_line(report.target)}", style="default")
    codes = [
        kept.code
        for severity in (Severity.CRITICAL, Severity.WARNING)
        for result in report.by_gravity()
        for kept in result.findings
        if kept.severity == severity
    ]
    unknown = [r for r in report.by_gravity() if r.status is Status.UNKNOWN]
    blind = [f"{r.check} unknown" for r in unknown if not report.kept_from(r)]
    if len(blind) < len(unknown):
        blind.append(f"our own trouble: {one_line(report.own_trouble)}")
    shown = list(dict.fromkeys([*codes, *blind]))
    more = len(shown) - CODES_SHOWN
    if more > 0:
        shown = [*shown[:CODES_SHOWN], f"{more} more"]
    return text.append(f"  {', '.join(shown)}" if shown else "", style="dim")


@contextmanager
def telling(total: int, *, as_lines: bool) -> Iterator[Told]:
    """Prints to stdout, with a progress bar where a person watches: below the lines, or on stderr beside a file."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    out = Console(file=sys.stdout, highlight=False)
    watched = out if out.is_terminal else Console(stderr=True)
    columns = (
        TextColumn("Looking", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(
        *columns,
        console=watched,
        transient=True,
        disable=not watched.is_terminal,
        redirect_stdout=False,
    )
    with bar:
        job = bar.add_task("", total=total)
        yield Told(out, as_lines=as_lines, moved=lambda: bar.advance(job))
