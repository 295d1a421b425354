"""A real Chromium that a test drives with its own mouse and keyboard, over the DevTools protocol."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from model.documents import Document, Json, at, text_at
from tests.support.parts import program

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""What it is called, from one distribution to the next."""
_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--window-size=1000,1000",
    "--remote-debugging-port=0",
)
_PATIENCE: Final = 30.0
"""Seconds for a machine that does other things as well."""


class NotSeen(AssertionError):
    """The page did not come to what was waited for."""


@dataclass(slots=True)
class Tab:
    """One tab. Everything that its page asked the network for is in `requests`, with the headers that it set."""

    socket: aiohttp.ClientWebSocketResponse
    loop: asyncio.AbstractEventLoop
    requests: list[Document] = field(default_factory=list)
    errors: list[Document] = field(default_factory=list)
    """What its script did not catch."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        said = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise NotSeen(text_at(said, "exceptionDetails.exception.description"))
        return at(said, "result.value")

    def wait(self, expression: str) -> Any:
        """The expression's value, once it is true; an element is."""
        end = time.monotonic() + _PATIENCE
        plain = f"((found) => found instanceof Node ? true : found)({expression})"
        while not (value := self.value(plain)):
            if time.monotonic() > end:
                raise NotSeen(f"{expression}\n{self.text}\n{self.errors}")
            time.sleep(0.03)
        return value

    @property
    def text(self) -> str:
        """What a reader sees."""
        return str(self.value("document.body.innerText"))

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the first that is seen, after scrolling there."""
        middle = (
            f"(() => {{ const found = [...document.querySelectorAll({json.dumps(selector)})].find("
            "(one) => one.checkVisibility() && !one.disabled); if (!found) return null;"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        x, y = self.wait(middle)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str) -> None:
        text = {"Enter": "\r"}.get(key, "")
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, text=text, **_CODES.get(key, {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, **_CODES.get(key, {}))

    def send(self, method: str, **parameters: Json) -> Document:
        return self.loop.run_until_complete(self._send(method, parameters))

    async def _send(self, method: str, parameters: Mapping[str, Json]) -> Document:
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            said: Document = await self.socket.receive_json(timeout=_PATIENCE)
            match said.get("method"):
                case "Network.requestWillBeSent":
                    self.requests.append(_object(said, "params.request"))
                case "Runtime.exceptionThrown":
                    self.errors.append(_object(said, "params.exceptionDetails"))
            if said.get("id") == number:
                assert "error" not in said, said
                return _object(said, "result")


_CODES: Final[Mapping[str, Mapping[str, int]]] = {
    "Enter": {"windowsVirtualKeyCode": 13},
    "Tab": {"windowsVirtualKeyCode": 9},
}


@contextmanager
def chromium(folder: Path) -> Iterator[Tab]:
    """A tab of a browser that knows nothing; skips where there is no Chromium."""
    browser = program(*CHROMIUM)
    profile = folder / "profile"
    command = [browser, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    loop = asyncio.new_event_loop()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            session = loop.run_until_complete(_session())
            try:
                yield _tab(loop, session, profile / "DevToolsActivePort")
            finally:
                loop.run_until_complete(session.close())
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            loop.close()


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def _tab(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession, file: Path) -> Tab:
    end = time.monotonic() + _PATIENCE
    while not (file.exists() and (lines := file.read_text().split())):
        assert time.monotonic() < end, "the browser does not start"
        time.sleep(0.03)

    async def first() -> aiohttp.ClientWebSocketResponse:
        async with session.get(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
            page = next(one for one in await answer.json() if one["type"] == "page")
        return await session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)

    tab = Tab(run(loop, first()), loop)
    for domain in ("Page", "Runtime", "Network"):
        tab.send(f"{domain}.enable")
    return tab


def run[T](loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    return loop.run_until_complete(coroutine)


def _object(document: Document, path: str) -> Document:
    found = at(document, path)
    assert isinstance(found, dict)
    return found
