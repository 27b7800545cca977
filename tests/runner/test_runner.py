"""The runner: every end is a status, what got worse is confirmed, drift is told until it is accepted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import structlog.testing

from monitor.check import About, Code, Confirm, Gauge, Settings, World
from monitor.config.sections import CheckConfig
from monitor.model import (
    Classification,
    DomainTarget,
    Drift,
    Finding,
    Look,
    Outcome,
    Sample,
    Severity,
    Status,
)
from monitor.publish.meters import Meters
from monitor.runner import Job, Runner
from monitor.runner.execute import once
from monitor.store.kept import Kept
from monitor.store.store import Store
from monitor.world.fake import FakeWorld

TARGET = DomainTarget("example.com")
BAD = Outcome(looks=(Look.known("record", (Finding("bad", "it is bad"),)),))
GOOD = Outcome(looks=(Look.known("record"),))
BLIND = Outcome(looks=(Look.unknown("record", "timeout"),))


class Scripted:
    """Answers as the script says; the last entry for ever."""

    about: ClassVar[About] = About(
        name="scripted",
        title="Answers as told",
        targets=DomainTarget,
        interval=60,
        codes=(
            Code("bad", Severity.CRITICAL, "Bad"),
            Code("weakened", Severity.CRITICAL, "Weakened"),
            Code("changed", Severity.INFO, "Changed"),
        ),
        gauges=(Gauge("scripted_size", "Size."),),
        drift_codes={Classification.WEAKENED: "weakened", Classification.CHANGED: "changed"},
    )

    def __init__(self, *script: Outcome | BaseException | Callable[[], object]) -> None:
        self.script = list(script)
        self.confirming: list[bool] = []

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        self.confirming.append(world.confirming)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, Outcome):
            return step
        await asyncio.Event().wait()
        raise AssertionError

    def classify(self, accepted: str, seen: str) -> Drift | None:
        if accepted.split() == seen.split():
            return None
        how = Classification.CHANGED if "again" in seen else Classification.WEAKENED
        return Drift(how, f"{accepted} → {seen}")


class Worlds:
    def __init__(self, *, resolver_trouble: str | None = None) -> None:
        self.world = FakeWorld(resolver_trouble=resolver_trouble).world()

    def normal(self, check: str) -> World:
        return self.world

    def confirming(self, check: str, how: Confirm) -> World:
        return replace(self.world, confirming=True)


def job_of(check: Scripted, *, timeout: float = 5.0, confirmations: int = 2) -> Job:
    return Job(
        check,
        CheckConfig(
            name="scripted",
            check=Scripted,
            enabled=True,
            interval=60,
            timeout=timeout,
            confirmations=confirmations,
            confirm_after=0.001,
            severities={},
            targets=(),
            settings=Settings(),
        ),
    )


class Bench:
    """A runner over a real store."""

    def __init__(self, store: Store, tasks: asyncio.TaskGroup) -> None:
        self.store = store
        self.news_of: list[str] = []
        self.runner = Runner(
            store=store,
            worlds=Worlds(),
            clock=FakeWorld().clock,
            meters=Meters("test"),
            count=lambda _check, _samples: None,
            news=self.news_of.append,
            tasks=tasks,
        )

    async def look(self, job: Job, until: Callable[[Kept], bool]) -> Kept:
        self.runner.submit(job, TARGET, due=0.0)
        async with asyncio.timeout(5):
            while (kept := self.store.kept("scripted", TARGET.name)) is None or not until(kept):
                await asyncio.sleep(0.001)
        return kept


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = await Store.open(f"sqlite:///{tmp_path}/state.db", clock=FakeWorld().clock)
    async with asyncio.TaskGroup() as tasks:
        bench = Bench(store, tasks)
        yield bench
        await bench.runner.drain(0)
    await store.close()


async def test_what_got_worse_counts_after_its_confirmations(bench: Bench) -> None:
    check = Scripted(BAD)
    kept = await bench.look(job_of(check), lambda kept: kept.status is Status.CRITICAL)
    assert check.confirming == [False, True, True]
    assert [change.status for change in kept.history] == [Status.CRITICAL, Status.UNKNOWN]


async def test_the_log_says_why_a_status_changed(bench: Bench) -> None:
    check = Scripted(BLIND)
    job = job_of(check, confirmations=0)
    with structlog.testing.capture_logs() as lines:
        await bench.look(job, lambda kept: True)
        check.script = [BAD]
        await bench.look(job, lambda kept: kept.status is Status.CRITICAL)
        check.script = [GOOD]
        await bench.look(job, lambda kept: kept.status is Status.OK)
    told = [(line["status"], line.get("findings"), line.get("reason")) for line in lines]
    assert told == [
        ("unknown", None, "record: timeout"),
        ("critical", ("scripted.bad",), None),
        ("ok", None, None),
    ]


async def test_only_what_is_new_is_news_to_those_who_read_results(bench: Bench) -> None:
    check = Scripted(GOOD)
    job = job_of(check, confirmations=0)
    await bench.look(job, lambda kept: kept.status is Status.OK)
    assert bench.news_of == [TARGET.domain]
    before = len(check.confirming)
    await bench.look(job, lambda kept: len(check.confirming) > before)
    await bench.runner.settle()
    assert bench.news_of == [TARGET.domain]
    check.script = [BAD]
    await bench.look(job, lambda kept: kept.status is Status.CRITICAL)
    assert bench.news_of == [TARGET.domain] * 2


async def test_a_single_sighting_counts_for_nothing(bench: Bench) -> None:
    check = Scripted(BAD, GOOD)
    kept = await bench.look(job_of(check), lambda kept: kept.status is Status.OK)
    assert check.confirming == [False, True]
    assert all(change.status is not Status.CRITICAL for change in kept.history)


async def test_unknown_confirms_nothing(bench: Bench) -> None:
    """Blind looks in between neither count as a sighting nor take one back."""
    check = Scripted(BAD, BLIND, BAD, BLIND, BAD)
    await bench.look(job_of(check), lambda kept: kept.status is Status.CRITICAL)
    assert len(check.confirming) == 5


async def test_while_only_blind_looks_follow_nothing_is_confirmed(bench: Bench) -> None:
    check = Scripted(BAD, BLIND)
    job = job_of(check)
    await bench.look(job, lambda _kept: len(check.confirming) == 6)
    kept = bench.store.kept("scripted", TARGET.name)
    assert kept is not None
    assert kept.status is Status.UNKNOWN
    assert not [f for s in kept.subjects.values() for f in s.findings]


async def test_an_ordinary_look_confirms_nothing(bench: Bench) -> None:
    """It may read the same answer again from the cache, and believes what was proved hours ago."""
    check = Scripted(BAD, BLIND)
    job = job_of(check, confirmations=1)
    await bench.look(job, lambda _kept: len(check.confirming) == 5)
    await bench.runner.settle()
    check.script = [BAD, BLIND]
    kept = await bench.look(job, lambda _kept: len(check.confirming) == 10)
    assert not [f for s in kept.subjects.values() for f in s.findings]
    check.script = [BLIND, BAD]
    await bench.look(job, lambda kept: kept.status is Status.CRITICAL)
    assert check.confirming[10:] == [False, True]


async def test_each_finding_is_confirmed_for_itself(bench: Bench) -> None:
    """What comes with the last look of a suspicion was seen once, however long the rest is suspected."""
    weaker = Finding("weakened", "it is weaker")
    both = Outcome(looks=(Look.known("record", (*BAD.looks[0].findings, weaker)),))
    check = Scripted(BAD, BAD, both, BAD)
    kept = await bench.look(job_of(check), lambda kept: kept.status is Status.CRITICAL)
    assert [f.code for s in kept.subjects.values() for f in s.findings] == ["scripted.bad"]
    assert len(check.confirming) == 4


async def test_what_left_and_came_back_is_suspected_anew(bench: Bench) -> None:
    check = Scripted(BAD, BLIND)
    job = job_of(check)
    await bench.look(job, lambda _kept: len(check.confirming) == 6)
    bench.store.forget("scripted", TARGET.name)
    check.script = [BAD, BAD, GOOD]
    kept = await bench.look(job, lambda kept: kept.status is Status.OK)
    assert all(change.status is not Status.CRITICAL for change in kept.history)


async def test_better_counts_at_once(bench: Bench) -> None:
    job = job_of(Scripted(BAD, BAD, BAD, GOOD))
    await bench.look(job, lambda kept: kept.status is Status.CRITICAL)
    await bench.look(job, lambda kept: kept.status is Status.OK)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (RuntimeError("boom"), "the check failed: RuntimeError: boom"),
        (lambda: None, "no result within 0.05 s"),
        (asyncio.CancelledError(), "the check failed: what it waited for was cancelled"),
        (
            Outcome(looks=(Look.known("x", (Finding("undeclared", ""),)),)),
            "the check returned the code 'undeclared', which its About does not declare",
        ),
        (
            Outcome(samples=(Sample("undeclared", 1.0),)),
            "the check returned the gauge 'undeclared', which its About does not declare",
        ),
    ],
    ids=["raises", "hangs", "cancelled from within", "undeclared code", "undeclared gauge"],
)
async def test_every_end_is_a_status(bench: Bench, step: object, reason: str) -> None:
    kept = await bench.look(job_of(Scripted(step), timeout=0.05), lambda kept: True)
    assert (kept.status, kept.failure) == (Status.UNKNOWN, reason)


def record(text: str) -> Outcome:
    return Outcome(looks=(Look.known("record", record=text),))


async def test_the_first_record_seen_is_accepted_and_a_weaker_one_is_drift(bench: Bench) -> None:
    job = job_of(Scripted(record("p=reject"), record("p=none")))
    await bench.look(job, lambda kept: kept.status is Status.OK)
    kept = await bench.look(job, lambda kept: kept.status is Status.CRITICAL)
    (told,) = kept.subjects["record"].findings
    assert "`deliverability drift accept scripted example.com`" in told.finding.fix
    baseline = bench.store.baseline("scripted", TARGET.name, "record")
    assert baseline is not None
    assert (baseline.accepted, baseline.seen) == ("p=reject", "p=none")
    assert (baseline.classification, baseline.reason) == ("weakened", "p=reject → p=none")


async def test_a_record_written_differently_is_no_drift(bench: Bench) -> None:
    job = job_of(Scripted(record("a b"), record("a  b")))
    await bench.look(job, lambda kept: kept.status is Status.OK)
    await bench.look(
        job, lambda kept: kept.subjects["record"].record == "a  b" and kept.status is Status.OK
    )


async def test_an_unconfirmed_drift_leaves_the_baseline_as_it_was(bench: Bench) -> None:
    job = job_of(Scripted(record("p=reject"), record("p=none"), record("p=reject")))
    await bench.look(job, lambda kept: kept.status is Status.OK)
    bench.runner.submit(job, TARGET, due=0.0)
    await asyncio.sleep(0.05)
    baseline = bench.store.baseline("scripted", TARGET.name, "record")
    assert baseline is not None
    assert (baseline.seen, baseline.classification) == ("p=reject", "")


async def test_a_change_that_only_informs_is_confirmed_too(bench: Bench) -> None:
    """What one look saw, and the next did not, is in no history."""
    check = Scripted(record("a"), record("once again"), record("a"), record("again"))
    job = job_of(check)
    await bench.look(job, lambda kept: kept.status is Status.OK)
    await bench.look(job, lambda _kept: len(check.confirming) == 3)
    await bench.look(job, lambda kept: kept.subjects["record"].record == "again")
    assert check.confirming == [False, False, True, False, True, True]
    told = (await bench.store.history([("scripted", TARGET.name)]))[
        "scripted", TARGET.name, "record"
    ]
    assert [(change.kind, change.text, change.classification) for change in told] == [
        ("first_seen", "a", ""),
        ("changed", "again", "changed"),
    ]


async def test_a_record_that_is_another_at_every_look_is_drift_all_the_same(bench: Bench) -> None:
    check = Scripted(record("a"), *(record(f"b{number}") for number in range(3)), record("c"))
    job = job_of(check)
    await bench.look(job, lambda kept: kept.status is Status.OK)
    await bench.look(job, lambda kept: kept.status is Status.CRITICAL)
    assert check.confirming == [False, False, True, True]


async def test_a_target_that_left_the_configuration_does_not_come_back(bench: Bench) -> None:
    bench.runner.only(lambda _check, _target: False)
    check = Scripted(BAD)
    bench.runner.submit(job_of(check), TARGET, due=0.0)
    async with asyncio.timeout(5):
        while not check.confirming:
            await asyncio.sleep(0.001)
    await bench.runner.drain(1)
    assert bench.store.kept("scripted", TARGET.name) is None


@pytest.mark.parametrize(
    ("script", "status"),
    [((BAD, BAD), Status.CRITICAL), ((BAD, GOOD), Status.OK), ((BAD, BLIND), Status.UNKNOWN)],
    ids=["seen twice", "seen once", "then blind"],
)
async def test_a_one_shot_look_confirms_at_once(
    script: tuple[Outcome, ...], status: Status
) -> None:
    check = Scripted(*script)
    result = await once(job_of(check), TARGET, Worlds(), FakeWorld().clock)
    assert (result.kept.status, check.confirming) == (status, [False, True])


DISTRUSTED = "our resolver finds no address for anyone"


async def test_a_one_shot_look_believes_no_resolver_that_finds_nobody() -> None:
    """That a record is missing is no news when all records of the world are."""
    worlds = Worlds(resolver_trouble=DISTRUSTED)
    for outcome in (BAD, GOOD, BLIND):
        result = await once(job_of(Scripted(outcome)), TARGET, worlds, FakeWorld().clock)
        assert (result.kept.status, result.kept.failure) == (Status.UNKNOWN, DISTRUSTED)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GOOD, BAD),
        (BAD, GOOD),
        (record("p=reject"), record("p=none")),
        (BAD, Outcome(looks=(Look.known("another"),))),
        (GOOD, BLIND),
    ],
    ids=["worse", "better", "another record", "a subject gone", "blind"],
)
async def test_no_news_counts_while_our_resolver_cannot_be_believed(
    bench: Bench, before: Outcome, after: Outcome
) -> None:
    check = Scripted(before)
    job = job_of(check, confirmations=0)
    shown = await bench.look(job, lambda kept: True)
    bench.runner.worlds = Worlds(resolver_trouble=DISTRUSTED)
    check.script = [after]
    kept = await bench.look(job, lambda kept: bool(kept.failure))
    assert kept.failure == DISTRUSTED
    for name, subject in shown.subjects.items():
        assert kept.subjects[name].findings == subject.findings
        assert kept.subjects[name].record == subject.record


async def test_windows_of_events_need_no_resolver(bench: Bench) -> None:
    class Windows(Scripted):
        about: ClassVar[About] = replace(Scripted.about, confirm=Confirm.NONE)

    bench.runner.worlds = Worlds(resolver_trouble=DISTRUSTED)
    job = job_of(Windows(BAD), confirmations=0)
    await bench.look(job, lambda kept: kept.status is Status.CRITICAL)


async def test_a_record_given_by_the_configuration_is_what_is_accepted(bench: Bench) -> None:
    job = job_of(Scripted(record("p=none")))
    given = replace(job.config, baselines={"example.com": "p=reject"})
    await bench.look(replace(job, config=given), lambda kept: kept.status is Status.CRITICAL)
    baseline = bench.store.baseline("scripted", TARGET.name, "record")
    assert baseline is not None
    assert (baseline.accepted, baseline.reason) == ("p=reject", "p=reject → p=none")


async def test_a_bad_subject_that_the_second_look_no_longer_lists_is_not_told() -> None:
    gone = Outcome(looks=(Look.known("other"),))
    result = await once(job_of(Scripted(BAD, gone)), TARGET, Worlds(), FakeWorld().clock)
    assert not [f for s in result.kept.subjects.values() for f in s.findings]
    assert result.kept.status is not Status.CRITICAL


async def shown(bench: Bench, check: Scripted, *looks: Look) -> Kept:
    """What is kept once the check was run and returned these looks."""
    check.script = [Outcome(looks=looks)]
    before = len(check.confirming)
    await bench.look(job_of(check, confirmations=0), lambda _kept: len(check.confirming) > before)
    await bench.runner.settle()
    kept = bench.store.kept("scripted", TARGET.name)
    assert kept is not None
    return kept


async def test_new_subjects_do_not_inherit_that_the_old_ones_were_clean(bench: Bench) -> None:
    """The configuration names other zones, as many as before, and their turn to be asked has not come yet."""
    check = Scripted(GOOD)
    kept = await shown(bench, check, Look.known("old one"), Look.known("old two"))
    assert kept.status is Status.OK
    kept = await shown(bench, check, Look.not_due("new one"), Look.not_due("new two"))
    assert (kept.status, kept.clean, set(kept.subjects)) == (
        Status.UNKNOWN,
        0,
        {"new one", "new two"},
    )
    kept = await shown(bench, check, Look.known("new one"), Look.not_due("new two"))
    assert (kept.status, kept.clean, set(kept.subjects)) == (Status.UNKNOWN, 1, {"new two"})
    kept = await shown(bench, check, Look.not_due("new one"), Look.known("new two"))
    assert (kept.status, kept.clean) == (Status.OK, 2)
    kept = await shown(bench, check, Look.not_due("new one"), Look.not_due("new two"))
    assert (kept.status, kept.clean) == (Status.OK, 2)
