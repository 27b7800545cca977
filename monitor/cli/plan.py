"""`plan`: what would be asked of whom, how often, against each party's limit. Asks the DNS for hosts only."""

import asyncio
import logging
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.command import Command
from monitor.cli.source import config_option, loaded, needed_file

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from monitor.app.assembly import Assembly
    from monitor.config.valid import ValidConfig
    from monitor.inventory import Discovery, LeftOut

DAY = 86_400
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """How often one check looks. `targets` counts them by kind; `interval` in seconds."""

    check: str
    targets: dict[str, int]
    interval: float
    looks_a_day: int


@dataclass(frozen=True, slots=True)
class PartyPlan:
    """What one party is asked. `limit` is what it allows a day, None where it names no number."""

    check: str
    party: str
    questions_a_day: int
    limit: int | None

    @property
    def within(self) -> bool:
        """Whether the limit is kept without leaving looks out."""
        return self.limit is None or self.questions_a_day <= self.limit


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. `undiscovered` are the domains whose hosts could not be found out; `left_out` says what nobody looks at."""

    checks: tuple[CheckPlan, ...]
    parties: tuple[PartyPlan, ...]
    undiscovered: tuple[str, ...] = field(default=())
    left_out: tuple["LeftOut", ...] = field(default=())


@click.command(cls=Command)
@config_option
def plan(config: Path | None) -> None:
    """Show what would be asked of whom, how often, and the limits."""
    from rich.console import Console

    from monitor.cli.log_format import start_log

    start_log("console", level=logging.CRITICAL)
    found = asyncio.run(_planned(loaded(needed_file(config))))
    width = None if sys.stdout.isatty() else 100
    _print(found, Console(highlight=False, width=width))


def plan_of(assembly: "Assembly", undiscovered: Sequence[str] = ()) -> Plan:
    """The plan of one assembly."""
    checks: list[CheckPlan] = []
    parties: list[PartyPlan] = []
    for assignment in assembly.assignments():
        job, targets = assignment.job, assignment.targets
        looks = DAY / job.config.interval
        kinds = Counter(_kind(target) for target in targets)
        a_day = math.ceil(looks * len(targets))
        checks.append(CheckPlan(job.name, dict(kinds), job.config.interval, a_day))
        parties += _parties(job.name, job.check, targets, looks)
    left_out = assembly.inventory.left_out
    return Plan(tuple(checks), tuple(parties), tuple(undiscovered), left_out)


def _kind(target: object) -> str:
    """`NamedDomainTarget` is a `named domain`."""
    name = type(target).__name__.removesuffix("Target")
    return re.sub(r"(?<=.)(?=[A-Z])", " ", name).lower()


def _parties(
    name: str, check: object, targets: Iterable[object], looks: float
) -> Iterable[PartyPlan]:
    from monitor.check import NamesParties

    if not isinstance(check, NamesParties):
        return
    questions: Counter[str] = Counter()
    limits: dict[str, int | None] = {}
    for target in targets:
        for asks in check.asks(target):
            questions[asks.party] += asks.questions
            limits[asks.party] = asks.limits.a_day
    for party, number in questions.most_common():
        yield PartyPlan(name, party, math.ceil(looks * number), limits[party])


async def _planned(config: "ValidConfig") -> Plan:
    from monitor.app.assembly import assemble

    discoveries = await _discoveries(config)
    known = {name: found for name, found in discoveries.items() if found is not None}
    return plan_of(assemble(config, known), [name for name in discoveries if name not in known])


async def _discoveries(config: "ValidConfig") -> "dict[str, Discovery | None]":
    from monitor.cli.oneshot import opened_worlds
    from monitor.inventory import discover, names_to_resolve
    from monitor.world.clock import SystemClock

    clock, at_once = SystemClock(), asyncio.Semaphore(AT_ONCE)
    names = names_to_resolve(config)
    async with opened_worlds(config, clock) as worlds:

        async def one(name: str) -> "Discovery | None":
            async with at_once:
                dns = worlds.normal("discovery").dns
                return await discover(name, dns, clock.now(), declared=names[name])

        found = await asyncio.gather(*map(one, names))
    return dict(zip(names, found, strict=True))


def _print(plan: Plan, console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from monitor.web.text import counted

    looks = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    looks.add_column("Check", no_wrap=True)
    looks.add_column("Looks at", overflow="fold")
    looks.add_column("Every", justify="right")
    looks.add_column("Looks a day", justify="right")
    for check in plan.checks:
        targets = ", ".join(
            counted(n, kind, _PLURALS.get(kind)) for kind, n in check.targets.items()
        )
        looks.add_row(
            check.check, targets or "nothing", _interval(check.interval), f"{check.looks_a_day:,}"
        )
    console.print(looks)
    if plan.parties:
        asked = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        asked.add_column("Asked by", no_wrap=True)
        asked.add_column("Party", overflow="fold")
        asked.add_column("Questions a day", justify="right")
        asked.add_column("Limit", justify="right")
        asked.add_column("")
        for party in plan.parties:
            asked.add_row(
                party.check,
                party.party,
                f"{party.questions_a_day:,}",
                f"{party.limit:,}" if party.limit is not None else "no number",
                _kept(party),
            )
        console.print(asked)
        if not all(party.within for party in plan.parties):
            console.print(" over: looks are left out so that the limit is kept.", style="dim")
    if plan.undiscovered:
        console.print(
            Text(f" Not counted: hosts of {', '.join(plan.undiscovered)}: the DNS does not tell.")
        )
    for one in plan.left_out:
        console.print(Text(f" Not looked at: {one.domain}: {one.what}."))


def _kept(party: PartyPlan) -> "Text":
    from rich.text import Text

    if party.limit is None:
        return Text("")
    return Text("✓ within", "green") if party.within else Text("! over", "bold yellow")


_PLURALS = {"address": "addresses"}


def _interval(seconds: float) -> str:
    for unit, size in (("d", DAY), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
