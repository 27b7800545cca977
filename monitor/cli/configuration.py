"""`validate` and `schema`."""

import json
from pathlib import Path

import click

from monitor.cli.command import Command
from monitor.cli.source import checks_installed, config_option, loaded, needed_file


@click.command(cls=Command)
@config_option
def validate(config: Path | None) -> None:
    """Say whether the configuration is valid.

    Exits 0, or 2 with one line for each thing that is wrong.
    """
    from monitor.web.text import counted

    valid = loaded(needed_file(config))
    enabled = sum(check.enabled for check in valid.checks.values())
    parts = [
        counted(len(valid.domains), "domain"),
        counted(len(valid.senders), "sender"),
        counted(len(valid.config.events.hooks), "hook"),
        counted(enabled, "check"),
    ]
    click.echo(f"valid: {', '.join(parts)}")


@click.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from monitor.config.schema import json_schema

    click.echo(json.dumps(json_schema(checks_installed()), indent=2))
