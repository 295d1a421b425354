"""One running development host: worker, task hub, timers and the HTTP server on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from composition import clock_of
from devhost.durable import TaskHub
from devhost.timers import Timers
from devhost.web import application, client_binding
from devhost.worker import Worker
from engine.settings import PREFIX, InvalidSettings, Settings

PROJECT: Final = Path(__file__).parents[1]
_LOOPBACK: Final = "127.0.0.1"
OTHER_SETTINGS: Final = frozenset({"DRY_RUN", "SWEEP_SCHEDULE", "AzureWebJobsStorage"})


class Host:
    """Started and stopped on an event loop."""

    def __init__(self, *, port: int = 0, timers: bool = True, deliveries: int = 1) -> None:
        """`timers`: whether schedules are followed; a timer can be fired by hand in any case."""
        self.worker = Worker(PROJECT)
        self.hub: TaskHub
        self.timers: Timers
        self._follow = timers
        self._deliveries = deliveries
        self._socket = socket.create_server((_LOOPBACK, port))
        self.url = f"http://{_LOOPBACK}:{self._socket.getsockname()[1]}"
        self._runner: web.AppRunner | None = None
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Index the app and serve. Raises `devhost.worker.AppBroken`."""
        await self.worker.start()
        try:
            settings: Settings | None = Settings.from_env(os.environ)
        except InvalidSettings:
            # The app starts without them, and says so when asked; there is no process to run then.
            settings = None
        clock = clock_of(settings)
        leaps = settings is not None and settings.simulated
        self.hub = TaskHub(self.worker, clock, leaps=leaps, deliveries=self._deliveries)
        self.timers = Timers(self.worker, clock, client_binding(self.url))
        self._runner = web.AppRunner(application(self.worker, self.hub, self.timers), access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()
        if self._follow:
            self._following = asyncio.create_task(self.timers.run())

    async def stop(self) -> None:
        if self._following:
            self._following.cancel()
        if self._runner:
            await self.hub.stop()
            await self._runner.cleanup()
        await self.worker.stop()
        self._socket.close()


class HostThread:
    """A host on an event loop of its own thread, for callers that have none."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devhost", daemon=True)

    def run[T](self, work: Coroutine[object, object, T], seconds: float = 120) -> T:
        """Do something on the host's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def start(self) -> None:
        self._thread.start()
        self.run(self.host.start())

    def stop(self) -> None:
        self.run(self.host.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextlib.contextmanager
def settings_of(values: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with these settings of the app and no others, for as long as the block lasts."""
    ours = {name for name in os.environ if name.startswith(PREFIX)} | OTHER_SETTINGS
    before = {name: os.environ[name] for name in ours if name in os.environ}
    for name in before:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name in ours | values.keys():
            os.environ.pop(name, None)
        os.environ.update(before)


@contextlib.contextmanager
def running(values: Mapping[str, str], *, timers: bool = False, deliveries: int = 1) -> Iterator[HostThread]:
    """A host with these settings for as long as the block lasts."""
    with settings_of(values):
        thread = HostThread(Host(timers=timers, deliveries=deliveries))
        try:
            thread.start()
            yield thread
        finally:
            thread.stop()
