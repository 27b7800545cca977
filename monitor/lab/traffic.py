"""The senders' event streams: every event is posted to the daemon's hook until it is acknowledged."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import aiohttp
import structlog

from monitor.lab.credentials import Credentials
from monitor.lab.mail import BODIES, Event, burst, steady
from monitor.lab.scenario import Burst, Scenario, Traffic

_BATCH = 1000
_RETRY_SECONDS = 1.0
_TIMEOUT = aiohttp.ClientTimeout(total=30)

log = structlog.get_logger()


class Flow:
    """One hook's stream: its history first, then what happens each second, and bursts between."""

    def __init__(
        self, name: str, scenario: Scenario, *, url: str, credentials: Credentials
    ) -> None:
        self._name = name
        self._url = url
        self._credentials = credentials
        self._seed = scenario.seed
        self._bursts: deque[Burst] = deque()
        self._connected: bool | None = None
        self.load(scenario)
        self._second = int(time.time() - self._traffic.history)

    def load(self, scenario: Scenario) -> None:
        """Follow another world's description of this flow from now on."""
        self._traffic: Traffic = scenario.traffic[self._name]

    def burst(self, description: Burst) -> None:
        """Let messages happen at once, as soon as what is being posted is acknowledged."""
        self._bursts.append(description)

    async def run(self) -> None:
        """Post for ever."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                events = self._next_events(int(time.time()))
                for start in range(0, len(events), _BATCH):
                    await self._deliver(session, events[start : start + _BATCH])
                if not self._bursts:
                    await asyncio.sleep(max(0.0, self._second - time.time()))

    def _next_events(self, now: int) -> list[Event]:
        """Take a burst if one waits, or else about a batch of what happened before `now`."""
        if self._bursts:
            # In the second before: what is posted has happened.
            return burst(
                self._name, self._traffic, self._bursts.popleft(), seed=self._seed, second=now - 1
            )
        events: list[Event] = []
        while self._second <= now and len(events) < _BATCH:
            events += steady(self._name, self._traffic, seed=self._seed, second=self._second)
            self._second += 1
        return events

    async def _deliver(self, session: aiohttp.ClientSession, events: Sequence[Event]) -> None:
        body = BODIES[self._traffic.kind](events)
        while True:
            if await self._acknowledged(session, body):
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _acknowledged(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        # Signed anew at each try: a receiver may refuse an old timestamp.
        headers = self._credentials.headers[self._traffic.proof](body)
        try:
            async with session.post(self._url, data=body, headers=headers) as response:
                reason = f"HTTP {response.status}"
                accepted = response.ok
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = type(error).__name__
            accepted = False
        if accepted != self._connected:
            self._connected = accepted
            log.info(
                "lab.events_flowing" if accepted else "lab.events_waiting",
                **{"flow": self._name, "url": self._url} | ({} if accepted else {"reason": reason}),
            )
        return accepted
