"""Events a second through the hooks: authenticated, read, normalised, counted once, durable on disk.

`ours` is HookReceiver.receive over a Store in a file, four requests of 1,000 events at a time, as a
provider sends them. `peer` only reads the same bodies with `json.loads`: what no receiver can avoid.
"""

import asyncio
import json
import tempfile
import uuid
from datetime import UTC, datetime, timedelta

from measure import Figures, tell, used

from monitor.ingest.generic import GenericFormat
from monitor.ingest.hooks import Hook, HookReceiver
from monitor.store.store import Store
from monitor.world.clock import SystemClock

BATCH = 1_000
REQUESTS = 100
AT_ONCE = 4
SECRET = "a secret of the bench"
KINDS = ("accepted", "delivered", "delivered", "delivered", "bounced", "opened")
PROVIDERS = ("gmail.com", "outlook.com", "yahoo.com", "example.net")


def bodies() -> list[bytes]:
    now = datetime.now(UTC)
    return [
        json.dumps([_event(number, now) for number in range(BATCH)]).encode()
        for _ in range(REQUESTS)
    ]


def _event(number: int, now: datetime) -> dict[str, object]:
    kind = KINDS[number % len(KINDS)]
    event: dict[str, object] = {
        "id": uuid.uuid4().hex,
        "event": kind,
        "at": (now - timedelta(seconds=number)).isoformat(),
        "recipient": f"someone{number}@{PROVIDERS[number % len(PROVIDERS)]}",
        "domain": "example.com",
        "stream": "orders",
    }
    if kind == "bounced":
        event |= {"code": 550, "enhanced_code": "5.1.1", "diagnostic": "550 5.1.1 User unknown"}
    return event


def ours() -> Figures:
    return asyncio.run(_ours(bodies()))


async def _ours(requests: list[bytes]) -> Figures:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as directory:
        store = await Store.open(f"sqlite:///{directory}/state.db", clock=clock)
        hook = Hook(
            "shop", "shop-mta", ("example.com",), frozenset({"orders"}), GenericFormat((SECRET,))
        )
        receiver = HookReceiver([hook], domains=["example.com"], store=store, clock=clock)
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        waiting = iter(requests)

        async def post() -> None:
            for body in waiting:
                reply = await receiver.receive("shop", headers, body)
                if reply.body.get("accepted") != BATCH:
                    raise SystemExit(f"not accepted: {reply}")

        with used() as usage:
            await asyncio.gather(*(post() for _ in range(AT_ONCE)))
        await store.close()
    return _figures(usage.wall, usage.cpu)


def peer() -> Figures:
    requests = bodies()
    with used() as usage:
        for body in requests:
            json.loads(body)
    return _figures(usage.wall, usage.cpu)


def _figures(wall: float, cpu: float) -> Figures:
    events = BATCH * REQUESTS
    return {"events_a_second": events / wall, "us_an_event": 1e6 * cpu / events}


if __name__ == "__main__":
    tell({"ours": ours, "peer": peer})
