"""A request to a hook: its reply, what is counted, and what is said about it."""

import gzip
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.ingest.body import BODY_LIMIT, MalformedError, TooLargeError, inflated
from monitor.ingest.generic import GenericFormat
from monitor.ingest.hooks import Hook, HookReceiver
from monitor.ingest.sendgrid import SendGridFormat
from monitor.model import Counts
from monitor.protocol.sendgrid_key import verification_key
from monitor.store.store import Store
from monitor.world.fake import FakeClock
from tests.ingest.signing import public_text, signed

SECRET = "s3cret-canary"
AUTH = {"AUTHORIZATION": f"Bearer {SECRET}"}
RECIPIENT = "canary.person@gmail.com"


@pytest.fixture
def receiver(store: Store, clock: FakeClock) -> HookReceiver:
    streams = frozenset({"orders", "news"})
    shop = Hook(
        "shop", "shop-mta", ("example.com", "example.org"), streams, GenericFormat((SECRET,))
    )
    grid = Hook(
        "grid",
        "news",
        ("news.example",),
        streams,
        SendGridFormat((verification_key(public_text()),)),
    )
    domains = ("example.com", "example.org", "news.example")
    return HookReceiver([shop, grid], domains=domains, store=store, clock=clock)


def event(id_: str, at: float, **fields: object) -> dict[str, Any]:
    return {"id": id_, "event": "accepted", "at": at, "recipient": RECIPIENT} | fields


def encoded(*events: object) -> bytes:
    return json.dumps(events).encode()


async def test_events_are_counted_once_and_the_reply_says_how_many(
    receiver: HookReceiver, store: Store, clock: FakeClock
) -> None:
    at = clock.now()
    first = await receiver.receive("shop", AUTH, encoded(event("1", at), event("2", at)))
    assert (first.status, first.body) == (200, {"accepted": 2, "duplicates": 0, "rejected": []})
    bad = {"id": "4"}
    second = await receiver.receive("shop", AUTH, encoded(event("1", at), event("3", at), bad))
    assert second.status == 200
    assert second.body["accepted"] == 1
    assert second.body["duplicates"] == 1
    assert [one["index"] for one in second.body["rejected"]] == [2]
    assert store.totals() == {("shop-mta", "", "example.com", "gmail", "accepted"): 3}
    windows = await store.counts("shop-mta", "example.com", [300])
    assert windows == {("", "gmail"): {300: Counts(accepted=3)}}
    assert receiver.last_event_at == {"shop": at}
    assert receiver.requests == {("shop", "accepted"): 2}


LABELS: dict[str, tuple[dict[str, object], tuple[str, str, str]]] = {
    "declared": ({"domain": "example.org", "stream": "news"}, ("news", "example.org", "gmail")),
    "absent": ({"recipient": None}, ("", "example.com", "other")),
    "undeclared": (
        {"domain": "evil.test", "stream": "x" * 99, "recipient": "a@corp.test"},
        ("other", "other", "other"),
    ),
    "in other letters": (
        {"domain": "EXAMPLE.org.", "stream": "orders"},
        ("orders", "example.org", "gmail"),
    ),
}


@pytest.mark.parametrize(("fields", "labels"), LABELS.values(), ids=LABELS)
async def test_labels_come_from_the_configuration_or_are_other(
    receiver: HookReceiver,
    store: Store,
    clock: FakeClock,
    fields: dict[str, object],
    labels: tuple[str, str, str],
) -> None:
    await receiver.receive("shop", AUTH, encoded(event("1", clock.now(), **fields)))
    assert list(store.totals()) == [("shop-mta", *labels, "accepted")]


GOOD = encoded(event("1", 1_790_000_000.0))
REFUSED: dict[str, tuple[str, dict[str, str], bytes, int, str]] = {
    "unknown hook": ("nowhere", AUTH, GOOD, 404, "unknown_hook"),
    "no authentication": ("shop", {}, GOOD, 401, "unauthenticated"),
    "wrong secret": ("shop", {"Authorization": "Bearer wrong"}, GOOD, 401, "unauthenticated"),
    "the other hook's way": ("grid", AUTH, GOOD, 401, "unauthenticated"),
    "a large body": ("shop", AUTH, b" " * (BODY_LIMIT + 1), 413, "too_large"),
    "a gzip bomb": (
        "shop",
        AUTH | {"Content-Encoding": "gzip"},
        gzip.compress(b" " * (BODY_LIMIT + 1)),
        413,
        "too_large",
    ),
    "not gzip": ("shop", AUTH | {"Content-Encoding": "gzip"}, GOOD, 400, "malformed"),
    "another encoding": ("shop", AUTH | {"Content-Encoding": "br"}, GOOD, 415, "unsupported"),
    "not JSON": ("shop", AUTH, b"{", 400, "malformed"),
    "endless depth": ("shop", AUTH, b'{"a":' * 100_000, 400, "malformed"),
}


@pytest.mark.parametrize(
    ("name", "headers", "body", "status", "outcome"), REFUSED.values(), ids=REFUSED
)
async def test_a_refused_request_counts_nothing_and_is_told_without_its_content(
    receiver: HookReceiver,
    store: Store,
    *,
    name: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    outcome: str,
) -> None:
    with capture_logs() as logs:
        reply = await receiver.receive(name, headers, body)
    assert reply.status == status
    assert store.totals() == {}
    label = "other" if name == "nowhere" else name
    assert receiver.requests == {(label, outcome): 1}
    assert [(line["event"], line["outcome"]) for line in logs] == [("hook.rejected", outcome)]
    assert receiver.last_event_at == {}


async def test_gzip_is_inflated_and_the_signature_is_of_what_was_sent(
    receiver: HookReceiver, clock: FakeClock
) -> None:
    plain = encoded(
        {"event": "delivered", "sg_event_id": "1", "timestamp": clock.now(), "email": RECIPIENT}
    )
    body = gzip.compress(plain)
    headers = signed(body, clock.now()) | {"content-encoding": "GZIP"}
    assert (await receiver.receive("grid", headers, body)).body["accepted"] == 1
    headers = signed(plain, clock.now()) | {"content-encoding": "gzip"}
    assert (await receiver.receive("grid", headers, body)).status == 401


async def test_a_replay_within_and_after_the_tolerance_counts_nothing(
    receiver: HookReceiver, store: Store, clock: FakeClock
) -> None:
    """Fault matrix W2: whoever recorded a request can send it as often as he likes."""
    body = encoded({"event": "delivered", "sg_event_id": "1", "timestamp": clock.now()})
    headers = signed(body, clock.now())
    replies = [await receiver.receive("grid", headers, body) for _ in range(50)]
    for _ in range(20):
        clock.advance(6 * 3600)
        replies.append(await receiver.receive("grid", headers, body))
        # Other traffic, so that old ids are forgotten.
        other = encoded(
            {"event": "open", "sg_event_id": str(clock.now()), "timestamp": clock.now()}
        )
        await receiver.receive("grid", signed(other, clock.now()), other)
    assert [reply.body.get("accepted", 0) for reply in replies] == [1] + [0] * 69
    assert replies[-1].status == 401
    assert store.totals()["news", "", "news.example", "other", "delivered"] == 1


async def test_a_store_that_cannot_commit_means_try_again_later(
    receiver: HookReceiver, store: Store, clock: FakeClock
) -> None:
    await store.close()
    with capture_logs() as logs:
        reply = await receiver.receive("shop", AUTH, encoded(event("1", clock.now())))
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert receiver.requests == {("shop", "unavailable"): 1}
    assert [line["event"] for line in logs] == ["hook.store_failed", "hook.rejected"]


async def test_neither_secrets_nor_recipients_are_kept_logged_or_answered(
    receiver: HookReceiver, store: Store, clock: FakeClock
) -> None:
    with capture_logs() as logs:
        replies = [
            await receiver.receive(
                "shop", AUTH, encoded(event("1", clock.now()), event(RECIPIENT, clock.now()))
            ),
            await receiver.receive("shop", AUTH, encoded(event("2", 5, domain=RECIPIENT))),
            await receiver.receive("shop", AUTH, encoded(event("3", clock.now(), event=RECIPIENT))),
            await receiver.receive("shop", AUTH, RECIPIENT.encode()),
            await receiver.receive("shop", {"Authorization": f"Bearer {SECRET}x"}, GOOD),
        ]
    await store.flush()
    state = store._database._path
    said = f"{logs} {replies} {receiver.hooks}".encode() + b"".join(
        path.read_bytes() for path in state.parent.iterdir()
    )
    assert b"canary" not in said


async def test_many_rejected_events_make_no_endless_reply(receiver: HookReceiver) -> None:
    reply = await receiver.receive("shop", AUTH, b"[" + b"1," * 100_000 + b"1]")
    assert reply.status == 200
    assert len(reply.body["rejected"]) == 1000
    assert reply.body["rejected_total"] == 100_001


async def test_a_reload_goes_on_counting_and_drops_hooks_that_left(
    receiver: HookReceiver, store: Store, clock: FakeClock
) -> None:
    for name in ("shop", "grid"):
        await receiver.receive(name, AUTH, encoded(event("1", clock.now())))
    shop = Hook("shop", "shop-mta", ("example.com",), frozenset(), GenericFormat(("new secret",)))
    receiver.replace(HookReceiver([shop], domains=("example.com",), store=store, clock=clock))
    assert (await receiver.receive("shop", AUTH, GOOD)).status == 401
    assert (await receiver.receive("grid", AUTH, GOOD)).status == 404
    assert receiver.requests == {
        ("shop", "accepted"): 1,
        ("shop", "unauthenticated"): 1,
        ("other", "unknown_hook"): 1,
    }
    assert receiver.last_event_at == {"shop": clock.now()}


def test_inflation_stops_at_the_limit_whatever_the_trailer_says() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    with pytest.raises(TooLargeError):
        inflated(bomb[:-4] + b"\1\0\0\0", "gzip", limit=1_000_000)


HALF = {
    "cut": gzip.compress(b"[]" * 100)[:-9],
    "two streams": gzip.compress(b"[]") * 2,
    "something behind": gzip.compress(b"[]") + b"x",
}


@pytest.mark.parametrize("body", HALF.values(), ids=HALF)
def test_only_one_whole_gzip_stream_is_a_body(body: bytes) -> None:
    with pytest.raises(MalformedError):
        inflated(body, "gzip")
