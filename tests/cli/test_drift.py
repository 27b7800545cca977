"""`drift`: through the API of the daemon that runs, else through its file."""

import asyncio
import getpass
import json
import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Finding, Status
from monitor.store.kept import FIRST_SIGHT, Baseline, Kept, KeptFinding, KeptSubject
from monitor.store.store import Store
from monitor.world.clock import SystemClock
from tests.cli.commands import COMMAND, deliverability, environment

ACCEPTED, SEEN = "v=DMARC1; p=reject", "v=DMARC1; p=none; \x1b[31m"


def baseline(target: str, subject: str = "record", classification: str = "weakened") -> Baseline:
    return Baseline(
        "dmarc",
        target,
        subject,
        ACCEPTED,
        0.0,
        SEEN if classification else ACCEPTED,
        60.0 if classification else 0.0,
        classification,
        "p=reject -> p=none" if classification else "",
        FIRST_SIGHT,
    )


def drifted(target: str) -> Kept:
    """What the daemon kept of it: the drift, and something else that acceptance does not mend."""
    told = tuple(
        KeptFinding(Finding(code, "told"), f"dmarc.{code}", severity, 60.0)
        for code, severity in (("policy_weakened", "critical"), ("policy_none", "warning"))
    )
    subject = KeptSubject("record", 60.0, told, record=SEEN)
    return Kept("dmarc", target, target, Status.CRITICAL, 60.0, 60.0, 60.0, {"record": subject})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose daemon does not run, and its state."""
    path = tmp_path / "config.yaml"
    path.write_text(
        f"domains: [{{name: shop.example}}]\nstore: {{url: 'sqlite:///{tmp_path}/state.db'}}\n"
        "server: {listen: '127.0.0.1:1'}\n"
    )

    async def fill() -> None:
        store = await Store.open(f"sqlite:///{tmp_path}/state.db", clock=SystemClock())
        store.set_baseline(baseline("shop.example"))
        store.keep(drifted("shop.example"))
        store.set_baseline(baseline("as.example", classification=""))
        store.keep(drifted("as.example"))
        store.set_baseline(baseline("shop.example", "a subject that left"))
        await store.close()

    asyncio.run(fill())
    return path


def stored(config: Path) -> Baseline | None:
    """What the state has of the record that differed."""
    return _stored(config)[0]


def _stored(config: Path) -> tuple[Baseline | None, Kept | None]:
    async def read() -> tuple[Baseline | None, Kept | None]:
        store = await Store.open(f"sqlite:///{config.parent}/state.db", clock=SystemClock())
        try:
            baseline = store.baseline("dmarc", "shop.example", "record")
            return baseline, store.kept("dmarc", "shop.example")
        finally:
            await store.close()

    return asyncio.run(read())


def test_the_file_serves_where_no_daemon_runs(config: Path) -> None:
    """Listed, shown with both states, and accepted for the next start."""
    cwd = config.parent
    listed = deliverability("drift", "list", "-c", config, cwd=cwd)
    differs = (
        "dmarc shop.example record: weakened: p=reject -> p=none "
        "(accepted on first sight, 1970-01-01T00:00:00Z)\n"
    )
    assert listed.stdout == differs
    every = deliverability("drift", "list", "--all", "-c", config, cwd=cwd)
    assert every.stdout == (
        f"{differs}"
        "dmarc as.example record: as accepted (accepted on first sight, 1970-01-01T00:00:00Z)\n"
    )
    shown = deliverability("drift", "show", "shop.example", "-c", config, cwd=cwd)
    assert (
        shown.stdout
        == r"""dmarc shop.example record
  weakened: p=reject -> p=none
  accepted on first sight, 1970-01-01T00:00:00Z; seen since 1970-01-01T00:01:00Z
      v=DMARC1
    - p=reject
    + p=none
    + \x1b[31m
  accepted, as a whole: v=DMARC1; p=reject
  history:
  1970-01-01T00:01:00Z changed, weakened: p=reject -> p=none
    - p=reject
    + p=none
    + \x1b[31m
  1970-01-01T00:00:00Z first seen, accepted on first sight
      v=DMARC1
      p=reject
"""
    )

    accepted = deliverability(
        *("drift", "accept", "dmarc", "shop.example", "--yes", "--reason", "a new\nESP"),
        *("-c", config),
        cwd=cwd,
    )
    assert (accepted.returncode, accepted.stdout) == (0, "dmarc shop.example record: accepted\n")
    again = deliverability("drift", "list", "-c", config, cwd=cwd)
    assert again.stdout == "every watched record is as accepted\n"

    record, kept = _stored(config)
    assert record is not None
    assert (record.accepted, record.classification, record.reason) == (SEEN, "", "")
    assert record.accepted_at > 1e9
    assert (record.accepted_by, record.accepted_reason) == (getpass.getuser(), "a new ESP")
    assert kept is not None
    assert [f.code for f in kept.subjects["record"].findings] == ["dmarc.policy_none"]
    assert kept.status is Status.WARNING
    shown = deliverability("drift", "show", "dmarc", "shop.example", "-c", config, cwd=cwd)
    assert "as accepted" in shown.stdout
    assert f"Z accepted by {getpass.getuser()}: a new ESP\n" in shown.stdout


def test_colours_are_for_terminals_only(config: Path) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [*COMMAND, "drift", "show", "shop.example", "--config", str(config)],
        cwd=config.parent,
        env=environment(),
        stdout=theirs,
        check=True,
        timeout=20,
    )
    os.close(theirs)
    said = os.read(ours, 65536)
    os.close(ours)
    assert b"\x1b[31m    - p=reject\x1b[0m" in said
    assert b"\x1b[32m    + p=none\x1b[0m" in said


def test_what_the_configuration_gives_is_accepted_there(config: Path) -> None:
    config.write_text(
        config.read_text()
        + 'checks: {dmarc: {baselines: {shop.example: "v=DMARC1; p=quarantine"}}}\n'
    )
    ended = deliverability(
        "drift", "accept", "shop.example", "--yes", "-c", config, cwd=config.parent
    )
    assert ended.returncode == 1
    assert "checks.dmarc.baselines of the configuration" in ended.stderr
    kept = stored(config)
    assert kept is not None
    assert kept.accepted == ACCEPTED


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("accept", "shop.example"), 2, "say --yes"),
        (("accept", "nosuch.example", "--yes"), 1, "nothing differs from what is accepted"),
        (("accept", "as.example", "--yes"), 1, "nothing differs from what is accepted"),
        (("accept", "shop.example", "--yes", "--by", "a" * 101), 2, "at most 100 characters"),
        (("accept", "shop.example", "--yes", "--by", "first sight"), 2, "nobody's name"),
        (("accept", "shop.example", "--yes", "--reason", "a" * 501), 2, "at most 500 characters"),
        (("show", "nosuch.example"), 0, "not watched yet"),
        (("show", "dmarc", "shop.example", "record", "more"), 2, "say TARGET | CHECK TARGET"),
    ],
)
def test_nothing_is_accepted_by_mistake(
    config: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """Nobody is asked where nobody sits; what does not differ cannot be accepted."""
    ended = deliverability("drift", *arguments, "-c", config, cwd=config.parent)
    assert ended.returncode == code
    assert says in ended.stdout + ended.stderr
    kept = stored(config)
    assert kept is not None
    assert kept.accepted == ACCEPTED


def test_no_state_is_made_by_looking_for_it(tmp_path: Path) -> None:
    """A wrong folder gets no empty state file."""
    (tmp_path / "deliverability.yaml").write_text(
        "domains: [{name: shop.example}]\nserver: {listen: '127.0.0.1:1'}\n"
    )
    ended = deliverability("drift", "list", cwd=tmp_path)
    assert ended.returncode == 1
    assert "there is no state at var/state.db" in ended.stderr
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(("answer", "code", "accepted"), [("n", 1, ACCEPTED), ("y", 0, SEEN)])
def test_a_person_is_shown_the_change_and_asked(
    config: Path, answer: str, code: int, accepted: str
) -> None:
    """On a terminal; no is what Enter means."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "drift", "accept", "shop.example", "--config", str(config)],
        cwd=config.parent,
        env=environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code, said
    text = said.decode()
    assert "- p=reject" in text[: text.index("Accept what is seen now? [y/N]")]
    kept = stored(config)
    assert kept is not None
    assert kept.accepted == accepted


@contextmanager
def daemon(*, refusing: bool = False) -> Iterator[tuple[str, list[Any]]]:
    """What answers as the API does, and what it was sent."""
    received: list[Any] = []
    record = {
        "check": "dmarc",
        "target": "shop.example",
        "subject": "record",
        "classification": "weakened",
        "reason": "r",
        "accepted": ACCEPTED,
        "accepted_at": "2026-01-01T00:00:00Z",
        "seen": SEEN,
        "changed_at": "2026-01-02T00:00:00Z",
        "accepted_by": "Bob",
        "accepted_reason": "b",
        "diff": [],
    }
    accepted = {
        "at": "2026-01-01T00:00:00Z",
        "kind": "accepted",
        "text": ACCEPTED,
        "classification": "",
        "reason": "b",
        "by": "Bob",
        "diff": [],
    }
    changed = accepted | {"at": "2026-01-02T00:00:00Z", "kind": "changed", "text": SEEN}
    answers = {
        "/api/v1/drift": {"drift": [record]},
        "/api/v1/drift/records?target=shop.example": {"records": [record]},
        "/api/v1/drift/history?check=dmarc&target=shop.example&subject=record": {
            "history": [changed | {"classification": "weakened", "by": ""}, accepted]
        },
    }

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, answers[self.path])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], json.loads(body)))
            if refusing:
                self.answer(409, {"error": "it changed again: look at it first"})
            else:
                self.answer(200, {"accepted": True})

        def answer(self, status: int, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def test_the_daemon_is_asked_where_it_runs(tmp_path: Path) -> None:
    """It is told what was seen, so that nothing newer is accepted unseen."""
    with daemon() as (url, received):
        ended = deliverability(
            *("drift", "accept", "shop.example", "--yes", "--by", "Alice", "--reason", "r"),
            *("--url", url),
            cwd=tmp_path,
        )
        shown = deliverability("drift", "show", "shop.example", "--url", url, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    record = {"check": "dmarc", "target": "shop.example", "subject": "record", "seen": SEEN}
    wanted = record | {"by": "Alice", "reason": "r"}
    assert received == [("/api/v1/drift/accept", "application/json", wanted)]
    assert "accepted by Bob: b, 2026-01-01T00:00:00Z; seen since 2026-01-02" in shown.stdout
    history = shown.stdout[shown.stdout.index("history:") :]
    assert history.index("changed, weakened: b") < history.index("accepted by Bob: b")
    assert "    - p=reject\n    + p=none\n" in history


def test_a_refusal_of_the_daemon_is_passed_on(tmp_path: Path) -> None:
    """Somebody changed the record once more."""
    with daemon(refusing=True) as (url, _):
        ended = deliverability(
            "drift", "accept", "shop.example", "--yes", "--url", url, cwd=tmp_path
        )
    assert (ended.returncode, ended.stderr) == (1, "it changed again: look at it first\n")
