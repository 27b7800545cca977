"""The entry point: finds the command, imports it, and turns what goes wrong into lines and exit codes."""

import sys
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from monitor.cli.command import BAD_INPUT, CONTEXT_SETTINGS, FAILED, Command, Problem, only_cause
from monitor.protocol.problem import did_you_mean
from monitor.web.text import visible

STARTED = time.monotonic()
"""When the process began, as near as we know."""

INTERRUPTED = 130

COMMANDS = {
    "run": "run",
    "check": "check",
    "validate": "configuration",
    "schema": "configuration",
    "plan": "plan",
    "zones": "zones",
    "rules": "rendered",
    "dashboards": "rendered",
    "drift": "drift",
    "lab": "lab",
    "healthcheck": "health",
    "version": "health",
}
"""Each command and the module that has it, in the order of the help."""


class LazyGroup(click.Group):
    """Imports a command when it is used, so that `healthcheck` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"monitor.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings=CONTEXT_SETTINGS)
def deliverability() -> None:
    """Watch an organisation's e-mail deliverability, and page when reputation drops.

    First steps: `deliverability check example.com` looks once, `deliverability run --domain
    example.com` watches, `deliverability run --lab` shows all of it without a network.
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        deliverability.main(arguments, prog_name="deliverability", standalone_mode=False)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "deliverability"
        message = " ".join(error.format_message().split())
        _end(f"{path}: {message} ({path} --help explains)", arguments, bad_input=True)
    except Problem as problem:
        _end(problem.message, arguments, bad_input=problem.bad_input)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 -- whatever it is, a person gets one line
        if "--debug" in arguments:
            traceback.print_exc()
        cause = only_cause(error)
        what = f"{type(cause).__name__}: {' '.join(str(cause).split())}".removesuffix(": ")
        _end(f"deliverability: unexpected {what} (--debug shows where)", arguments)
    sys.exit(0)


def _end(message: str, arguments: Sequence[str], *, bad_input: bool = False) -> NoReturn:
    # A message may quote a server or a file: nothing in it may reach the terminal but text.
    click.echo(visible(message.strip(), limit=len(message)), err=True)
    command = _command_of(arguments)
    codes = command.exit_codes if isinstance(command, Command) else (BAD_INPUT, FAILED)
    sys.exit(codes[0] if bad_input else codes[1])


def _command_of(arguments: Sequence[str]) -> click.Command | None:
    names = (name for name in arguments if not name.startswith("-"))
    return deliverability.get_command(click.Context(deliverability), next(names, ""))
