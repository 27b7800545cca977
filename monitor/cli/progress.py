"""A progress bar on stderr, where stderr is a terminal; gone when the work is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from monitor.web.text import one_line


@contextmanager
def shown_progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Gives a function to call with how many are done, of how many, and the last one."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[last]}", style="dim", markup=False),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        job = bar.add_task(f"Looking at {one_line(what)}", total=None, last="")

        def told(done: int, total: int, last: str) -> None:
            bar.update(job, completed=done, total=total, last=one_line(last, limit=40))

        yield told
