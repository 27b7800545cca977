"""The status site in a real browser, which applies the policy, the style sheet and the origin rules."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count

import aiohttp
import pytest

from tests.web.fake_backend import SEEN

pytestmark = pytest.mark.servers

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
DEADLINE = 30


@dataclass
class Tab:
    """One page, by the browser's own debugging protocol."""

    socket: aiohttp.ClientWebSocketResponse
    violations: list[str] = field(default_factory=list)
    numbers: count = field(default_factory=lambda: count(1))

    async def call(self, method, **params):
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self.socket.receive_json()
            if message.get("method") == "Log.entryAdded":
                self.violations.append(message["params"]["entry"]["text"])
            if message.get("id") == number:
                return message["result"]

    async def value(self, expression):
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    async def until(self, expression):
        async with asyncio.timeout(DEADLINE):
            while not await self.value(expression):
                await asyncio.sleep(0.02)

    async def go(self, url):
        await self.call("Log.enable")
        await self.call("Page.navigate", url=url)
        await self.until(f"document.readyState == 'complete' && location.href == {url!r}")


@contextlib.asynccontextmanager
async def chromium(profile) -> AsyncIterator[Tab]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        async with asyncio.timeout(DEADLINE):
            while not port_file.exists() or not port_file.read_text().count("\n"):
                await asyncio.sleep(0.02)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                address = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        process.terminate()
        await process.wait()


async def test_pages_are_styled_fit_a_phone_and_break_no_rule_of_the_policy(server, tmp_path):
    async with chromium(tmp_path) as tab:
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=360,
            height=800,
            deviceScaleFactor=1,
            mobile=True,
        )
        for path in (
            "/",
            "/domains/example.com",
            "/domains/news.example.com",
            "/runbooks/dmarc.md",
            "/zones",
        ):
            await tab.go(server.url + path)
            assert await tab.value("document.documentElement.scrollWidth") <= 360, path
            assert await tab.value("document.styleSheets[0].cssRules.length") > 50
        assert tab.violations == []


async def test_dark_mode_follows_the_readers_system(server, tmp_path):
    async with chromium(tmp_path) as tab:
        paper = []
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            await tab.call("Emulation.setEmulatedMedia", features=[feature])
            await tab.go(server.url + "/")
            paper.append(await tab.value("getComputedStyle(document.body).backgroundColor"))
        light, dark = (sum(map(int, one.strip("rgb()").split(","))) for one in paper)
        assert light > 700
        assert dark < 100


async def test_the_accept_button_works_and_needs_no_script(server, backend, tmp_path):
    """What a browser really sends with our own form passes the same-origin rule."""
    async with chromium(tmp_path) as tab:
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.go(server.url + "/domains/example.com")
        await tab.value("document.querySelector('[name=by]').value = 'Alice'")
        await tab.value("document.querySelector('[name=reason]').value = 'another ESP'")
        await tab.value("document.querySelector('button').click()")
        await tab.until("location.hash == '#records' && !document.querySelector('button')")
        assert "by Alice: another ESP" in await tab.value("document.body.innerText")
    assert backend.state.baselines[0].accepted == SEEN


async def test_another_sites_form_is_refused(server, backend, tmp_path):
    """The browser tells where a form comes from."""
    form = f"<form method=post action={server.url}/-/reload><button></form>"
    async with chromium(tmp_path) as tab:
        await tab.go(f"data:text/html,{form}")
        await tab.value("document.querySelector('button').click()")
        await tab.until(f"location.href == '{server.url}/-/reload'")
        assert "refused" in await tab.value("document.body.innerText")
    assert backend.reloads == 0
