"""How every command fails: one line each on stderr, an exit code, and a traceback only where it is asked for."""

import os
import signal
import sys
from collections.abc import Iterable
from typing import Any

import click

FAILED = 1
BAD_INPUT = 2
UNKNOWN = 3
"""What `check` exits with for whatever keeps it from looking, as monitoring plugins do."""
BROKEN_PIPE = 128 + signal.SIGPIPE
"""As other programs end when nobody reads on: 1, which click ends with, would be a warning of `check`."""

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Problem(click.ClickException):
    """What a person can mend: lines to print. `bad_input` where the lines are about what we were given."""

    def __init__(self, lines: str | Iterable[str], *, bad_input: bool = False) -> None:
        super().__init__(lines if isinstance(lines, str) else "\n".join(lines))
        self.bad_input = bad_input


class Command(click.Command):
    """A command that knows `--debug`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": CONTEXT_SETTINGS, **kwargs})
        self.params.append(_debug_option())

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; nobody reading its output ends it without a word."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except (BrokenPipeError, SystemExit) as end:
            # rich ends with 1 where it meets a closed pipe.
            cause = end.__context__ if isinstance(end, SystemExit) else end
            if not isinstance(cause, BrokenPipeError):
                raise
            # What is left in the buffer would be written, and fail again, at the very end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)

    @property
    def exit_codes(self) -> tuple[int, int]:
        """What bad input ends with, and what every other failure ends with."""
        return BAD_INPUT, FAILED


class PluginCommand(Command):
    """A command that speaks to monitoring systems: 2 is critical there, so whatever goes wrong is 3."""

    @property
    def exit_codes(self) -> tuple[int, int]:
        """3, always."""
        return UNKNOWN, UNKNOWN


def only_cause(error: BaseException) -> BaseException:
    """What a task group wrapped, where it is one error."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_note_debug,
        help="Show tracebacks, and all that is logged.",
    )


def _note_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta["debug"] = value
