"""What is shown is true: random worlds seen through random losses, restarts and acceptances.

The real runner, store and exposition; only the check is scripted. After every look what is shown is held
against the whole history of what was seen. `TRUTH_SECONDS=600 pytest tests/runner/test_truth.py` looks longer.
"""

import os
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

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
from monitor.publish.exposition import Exposition
from monitor.publish.meters import Meters
from monitor.runner import Job, Runner
from monitor.runner.merge import without_drift
from monitor.store.codec import encode_kept
from monitor.store.kept import FLAPPING_SECONDS, HOLD_SECONDS, STEADY_SECONDS, Kept
from monitor.store.records import Acceptance, ChangeKind, accept
from monitor.store.store import Store
from monitor.world.fake import FakeClock, FakeWorld
from tests.runner.tasks import Tasks

SECONDS = float(os.environ.get("TRUTH_SECONDS", "6"))
TARGET = DomainTarget("example.com")
SUBJECTS = ("a", "b", "c", "d")
SEVERITIES = {"bad": Severity.CRITICAL, "poor": Severity.WARNING, "odd": Severity.INFO}
DRIFT = "truth.weakened"
FEW = 40
"""Kilobytes that a target of four subjects may take, however often it was looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one subject. `codes` are full; `known` is None where it was not due."""

    at: float
    known: bool | None
    codes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Reality:
    """What is true, how much of it can be seen, and everything that was seen of it."""

    dice: random.Random
    clock: FakeClock
    loss: float = 0.3
    lies: float = 0.1
    truth: dict[str, frozenset[str]] = field(default_factory=dict)
    record: str = "strict"
    looks: int = 0
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    present: frozenset[str] = frozenset()
    failed: bool = True

    def change(self) -> None:
        """Something becomes true, or no longer is."""
        names = self.dice.sample(SUBJECTS, self.dice.randint(1, 4))
        self.truth = {name: self._some_codes() for name in names}
        self.record = self.dice.choice(("strict", "strict", "none", "open"))

    def look(self) -> Outcome:
        """One look, through whatever lies between. Notes what was seen."""
        self.looks += 1
        self.clock.advance(self.dice.choice((1.0, 60.0, 3600.0)))
        self.failed = self.dice.random() < self.loss / 3
        if self.failed:
            if self.dice.random() < 0.5:
                raise OSError("the network is away")
            return Outcome.unknown("no answer")
        self.present = frozenset({*self.truth, "record"})
        for gone in self.seen.keys() - self.present:
            del self.seen[gone]
        return Outcome(tuple(self._look(name) for name in sorted(self.present)))

    def _some_codes(self) -> frozenset[str]:
        return frozenset(code for code in SEVERITIES if self.dice.random() < 0.3)

    def _look(self, name: str) -> Look:
        if self.dice.random() < self.loss:
            if self.dice.random() < 0.3:
                self.seen[name].append(Seen(self.clock.now(), known=None))
                return Look.not_due(name)
            self.seen[name].append(Seen(self.clock.now(), known=False))
            return Look.unknown(name, "no answer")
        if name == "record":
            lie = self.dice.random() < self.lies
            record = self.dice.choice(("strict", "none", "open")) if lie else self.record
            self.seen[name].append(Seen(self.clock.now(), known=True))
            return Look.known(name, record=record)
        lie = self.dice.random() < self.lies
        codes = self._some_codes() if lie else self.truth[name]
        full = frozenset(f"truth.{code}" for code in codes)
        self.seen[name].append(Seen(self.clock.now(), known=True, codes=full))
        samples = (Sample("truth_size", float(len(codes)), {"subject": name}),)
        return Look.known(
            name, tuple(Finding(code, code) for code in sorted(codes)), samples=samples
        )


class TruthCheck:
    """Tells what the reality lets it see."""

    about: ClassVar[About] = About(
        name="truth",
        title="Whatever is true",
        targets=DomainTarget,
        interval=60,
        codes=(
            *(Code(name, severity, name) for name, severity in SEVERITIES.items()),
            Code("weakened", Severity.CRITICAL, "Weakened"),
        ),
        gauges=(Gauge("truth_size", "Size.", ("domain", "subject")),),
        drift_codes={Classification.WEAKENED: "weakened"},
    )

    def __init__(self, reality: Reality, *, confirms_clearing: bool) -> None:
        self.reality = reality
        self.about = replace(self.about, confirms_clearing=confirms_clearing)  # type: ignore[misc]

    async def run(self, target: DomainTarget, world: World) -> Outcome:
        return self.reality.look()

    def classify(self, accepted: str, seen: str) -> Drift | None:
        return Drift(Classification.WEAKENED, f"{accepted} → {seen}") if accepted != seen else None


class Worlds:
    def __init__(self) -> None:
        self.world = FakeWorld().world()

    def normal(self, check: str) -> World:
        return self.world

    def confirming(self, check: str, how: Confirm) -> World:
        return replace(self.world, confirming=True)


class Daemon:
    """Runner, store and exposition, wired as the daemon wires them; judges whatever is shown."""

    def __init__(
        self, path: Path, reality: Reality, *, confirmations: int, confirms_clearing: bool
    ) -> None:
        self._path = path
        self._reality = reality
        self._confirms_clearing = confirms_clearing
        self._opened: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._last_found: dict[tuple[str, str], float] = {}
        self._flapped: dict[tuple[str, str], float] = {}
        self._before: dict[str, frozenset[str]] = {}
        self._known_at: dict[str, float] = {}
        check = TruthCheck(reality, confirms_clearing=confirms_clearing)
        config = CheckConfig(
            name="truth",
            check=TruthCheck,
            enabled=True,
            interval=60,
            timeout=5,
            confirmations=confirmations,
            confirm_after=0,
            severities={},
            targets=(),
            settings=Settings(),
        )
        self._job = Job(check, config)

    async def start(self) -> None:
        self.store = await Store.open(f"sqlite:///{self._path}", clock=self._reality.clock)
        self.exposition = Exposition()
        self.exposition.configure([TruthCheck.about])
        self.tasks = Tasks()
        self.runner = Runner(
            store=self.store,
            worlds=Worlds(),
            clock=self._reality.clock,
            meters=Meters("test"),
            count=lambda _check, _samples: None,
            news=lambda _domain: None,
            tasks=self.tasks,  # type: ignore[arg-type]
        )
        self.store.subscribe(self._changed)
        self._show()

    async def stop(self) -> None:
        await self.tasks.stop()
        await self.store.close()

    async def look(self) -> None:
        self.runner.submit(self._job, TARGET, due=0.0)
        await self.tasks.idle()

    def accept(self) -> None:
        """As the daemon does it."""
        baseline = self.store.baseline("truth", TARGET.name, "record")
        kept = self.kept
        if baseline is None or not baseline.classification or kept is None:
            return
        now = self._reality.clock.now()
        self.store.set_baseline(accept(baseline, baseline.seen, Acceptance("Alice"), at=now))
        self._before["record"] = frozenset()
        self.store.keep(without_drift(kept, "record", TruthCheck.about, at=now))
        assert DRIFT not in self.text()
        assert "record_drift{" not in self.text()

    @property
    def kept(self) -> Kept | None:
        return self.store.kept("truth", TARGET.name)

    def text(self) -> str:
        text = self.exposition.render((), now=self._reality.clock.now(), openmetrics=False)
        return "\n".join(sorted(text.splitlines()))

    def _show(self) -> None:
        kept = self.kept
        if kept is not None:
            baselines = [
                baseline
                for subject in kept.subjects
                if (baseline := self.store.baseline("truth", TARGET.name, subject))
            ]
            self.exposition.update(kept, baselines)

    def _changed(self, _check: str, _target: str) -> None:
        self._show()
        kept = self.kept
        assert kept is not None
        shown = shown_of(kept)
        self._judge_status(kept)
        for name in {*shown, *self._before} - {"record"}:
            self._judge(name, self._before.get(name, frozenset()), shown.get(name, frozenset()))
        self._judge_drift(kept)
        self._judge_courses(kept)
        self._before = shown
        self._known_at = {name: s.known_at or 0.0 for name, s in kept.subjects.items()}
        text = self.text()
        for code in {code for codes in shown.values() for code in codes}:
            assert f'code="{code}"' in text
        assert len(encode_kept(kept)) < FEW * 1000
        assert len(kept.subjects) <= len(SUBJECTS) + 1

    def _judge(self, name: str, before: frozenset[str], shown: frozenset[str]) -> None:
        """Nothing appears that was not seen often enough in a row, nothing goes without a look that says so."""
        looks = self._reality.seen.get(name, [])
        known = [look for look in looks if look.known]
        needed = self._job.confirmations + 1
        for code in shown - before:
            often = 1 if informs(code) else needed
            assert len(known) >= often, (name, code)
            assert all(code in look.codes for look in known[-often:]), (name, code, known[-often:])
            self._note_opening(name, code)
        for code in before - shown:
            gone = name not in self._reality.present
            blind = self._reality.clock.now() - self._known_at.get(name, 0) > HOLD_SECONDS
            seen = not self._reality.failed and bool(looks and looks[-1].known)
            often = needed if self._confirms_clearing and not informs(code) else 1
            clean = seen and not any(code in look.codes for look in known[-often:])
            clean = clean and len(known) >= often and self._steady(name, code, known)
            assert gone or blind or clean, (name, code, known[-often:])
            self._last_found[name, code] = last_found(code, known)

    def _note_opening(self, name: str, code: str) -> None:
        now = self._reality.clock.now()
        if now - self._last_found.get((name, code), 0.0) <= FLAPPING_SECONDS:
            self._flapped[name, code] = now
        self._opened[name, code].append(now)

    def _steady(self, name: str, code: str, known: list[Seen]) -> bool:
        """Whether looks have found nothing for long enough: hours where it had just come back."""
        now = self._reality.clock.now()
        flapped = self._flapped.get((name, code))
        if not self._confirms_clearing or informs(code) or flapped is None:
            return True
        steady = now - last_found(code, known) >= STEADY_SECONDS
        return steady or now - flapped > FLAPPING_SECONDS

    def _judge_courses(self, kept: Kept) -> None:
        """What is told of a finding's past is what was shown: when it opened, and how often again."""
        assert len({(one.subject, one.code) for one in kept.courses}) == len(kept.courses)
        for one in kept.courses:
            if one.subject == "record":
                continue
            opened = self._opened[one.subject, one.code]
            assert one.first_seen in opened
            again = sum(at > one.first_seen for at in opened)
            assert one.returns == again or (self._confirms_clearing and one.returns > again)
            assert one.first_seen <= one.last_seen <= self._reality.clock.now()

    def _judge_status(self, kept: Kept) -> None:
        reality = self._reality
        if kept.status is not Status.OK:
            return
        assert not reality.failed
        for name in reality.present:
            last = [look for look in reality.seen[name] if look.known is not None]
            assert last, name
            assert last[-1].known, name

    def _judge_drift(self, kept: Kept) -> None:
        finding = any(f.code == DRIFT for s in kept.subjects.values() for f in s.findings)
        assert ("deliverability_record_drift{" in self.text()) is finding


def last_found(code: str, looks: list[Seen]) -> float:
    return max((look.at for look in looks if code in look.codes), default=0.0)


def informs(code: str) -> bool:
    return SEVERITIES[code.removeprefix("truth.")] is Severity.INFO


def shown_of(kept: Kept) -> dict[str, frozenset[str]]:
    return {name: frozenset(f.code for f in s.findings) for name, s in kept.subjects.items()}


async def live(path: Path, seed: int) -> None:
    """One history."""
    dice = random.Random(seed)
    reality = Reality(dice, FakeClock(1_800_000_000.0), loss=dice.choice((0.0, 0.3, 0.7)))
    reality.lies = dice.choice((0.0, 0.1, 0.5))
    confirmations = dice.choice((0, 1, 2))
    reality.change()
    confirms_clearing = dice.random() < 0.5
    daemon = Daemon(path, reality, confirmations=confirmations, confirms_clearing=confirms_clearing)
    await daemon.start()
    for _ in range(dice.randint(5, 25)):
        match dice.choice(("look", "look", "look", "change", "restart", "accept", "blind")):
            case "look":
                await daemon.look()
            case "change":
                reality.change()
            case "restart":
                before = daemon.text()
                await daemon.stop()
                await daemon.start()
                assert daemon.text() == before
            case "accept":
                daemon.accept()
            case "blind":
                loss, reality.loss = reality.loss, 1.0
                reality.clock.advance(dice.choice((600.0, HOLD_SECONDS + 1)))
                await daemon.look()
                reality.loss = loss
    reality.loss = reality.lies = 0.0
    looks = reality.looks
    while reality.looks < looks + confirmations + 2:
        await daemon.look()
    if confirms_clearing:
        reality.clock.advance(STEADY_SECONDS)
        await daemon.look()
    kept = daemon.kept
    assert kept is not None
    told = {name: codes for name, codes in shown_of(kept).items() if codes and name != "record"}
    true = {
        name: frozenset(f"truth.{code}" for code in codes)
        for name, codes in reality.truth.items()
        if codes
    }
    assert told == true
    baseline = daemon.store.baseline("truth", TARGET.name, "record")
    assert baseline is not None
    assert (DRIFT in daemon.text()) is (baseline.accepted != reality.record)
    histories = await daemon.store.history([("truth", TARGET.name)])
    history = histories["truth", TARGET.name, "record"]
    seen = [change.text for change in history if change.kind is not ChangeKind.ACCEPTED]
    assert seen[-1] == baseline.seen == reality.record
    assert all(before != after for before, after in pairwise(seen))
    accepted = [c.text for c in history if c.kind is not ChangeKind.CHANGED]
    assert accepted[-1] == baseline.accepted
    await daemon.stop()


@pytest.mark.parametrize("part", range(2))
async def test_what_is_shown_is_true(tmp_path: Path, part: int) -> None:
    """Seeds differ by part; a failure names its seed."""
    end = time.monotonic() + SECONDS / 2
    seed = part * 10**9 + int(os.environ.get("TRUTH_SEED", "0"))
    while time.monotonic() < end:
        try:
            await live(tmp_path / f"{seed}.db", seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        (tmp_path / f"{seed}.db").unlink()
        seed += 1
