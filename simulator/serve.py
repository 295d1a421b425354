"""Start and stop the simulated Azure: `with running(fleet) as azure: azure.url`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import Scope

from model.documents import Document, Json
from model.times import format_time, parse_time
from simulator.app import SimulatedAzure
from simulator.estate import Estate
from simulator.fleet import Fleet
from simulator.options import Options

HOST: Final = "127.0.0.1"
_PATIENCE: Final = 60.0
"""Seconds until a server that does not come up, or does not go down, is an error."""


HERE: Final[dict[str, Server]] = {}
"""The servers of this process, by address, while they are open."""


class _Uvicorn(uvicorn.Server):
    """One that stops when it is told to: its own loop looks ten times a second, and tests start hundreds of servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def stop(self) -> None:
        """From any thread. A request that hangs on order does not hold it up."""
        self.should_exit = self.force_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        # A signal is noticed by its own loop.
        waits = [asyncio.create_task(super().main_loop()), asyncio.create_task(self._told.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if not self._told.is_set():
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


class Server:
    """One simulated Azure on a loopback port. Loading the fleet happens when it is made."""

    def __init__(self, fleet: Fleet, *, port: int = 0, options: Options | None = None) -> None:
        self.estate = Estate(fleet, options)
        self.socket = socket.create_server((HOST, port))
        # Accepted connections inherit it. asyncio sets it only on sockets that say they are TCP, which these do not;
        # without it every answer waits for the client's delayed acknowledgement, 40 ms.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://{HOST}:{self.socket.getsockname()[1]}"
        self.app = SimulatedAzure(self.estate, self._cut)
        config = uvicorn.Config(self.app, log_level="critical", access_log=False, lifespan="off", http="h11", ws="none")
        self._uvicorn = _Uvicorn(config)
        HERE[self.url] = self

    def settings(self) -> dict[str, str]:
        """The environment that points an app here, as a dry run."""
        return {**self.estate.settings(), "PATCHWRIGHT_CLOUD": self.url, "DRY_RUN": "true"}

    def run(self) -> None:
        """Serve until `stop`, or until a signal where this is the main thread."""
        self._uvicorn.run(sockets=[self.socket])

    def stop(self) -> None:
        self._uvicorn.stop()

    def close(self) -> None:
        """Once it has stopped."""
        HERE.pop(self.url, None)
        self.socket.close()
        self.estate.close()

    @property
    def started(self) -> bool:
        return self._uvicorn.started

    def _cut(self, scope: Scope) -> None:
        client = scope.get("client")
        for connection in list(self._uvicorn.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is None or tuple(transport.get_extra_info("peername") or ()) != tuple(client or ()):
                continue
            # No lingering: the other side sees a reset, not an orderly end.
            held = transport.get_extra_info("socket")
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A running simulated Azure and its controls."""

    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def settings(self) -> Mapping[str, str]:
        return self.server.settings()

    @property
    def workspace_guid(self) -> str:
        return self.server.estate.workspace_guid

    @property
    def now(self) -> datetime:
        """Simulated time."""
        found = parse_time(self._control("GET", "clock")["now"])
        assert found is not None, "the simulator writes times that it can read"  # noqa: S101 - ours alone
        return found

    def requests(self) -> list[Document]:
        """Every request so far, in order; the controls' own are not among them."""
        return list(self.server.app.requests)

    def advance(self, length: timedelta) -> datetime:
        """Let simulated time pass; answers the new time."""
        self._control("POST", "clock", {"advance": length.total_seconds()})
        return self.now

    def advance_to(self, when: datetime) -> datetime:
        self._control("POST", "clock", {"to": format_time(when)})
        return self.now

    def order(self, *faults: Document) -> None:
        """Faults as `simulator/faults.py` describes them, beside those in force."""
        self._control("POST", "faults", {"faults": list(faults)})

    def clear_faults(self) -> None:
        self._control("POST", "faults", {"clear": True})

    def _control(self, method: str, name: str, body: Document | None = None) -> Document:
        # Over HTTP, so that it happens between requests and not in the middle of one.
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.url}/_simulator/{name}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
            parsed: Json = json.load(answer)
        return parsed if isinstance(parsed, dict) else {"value": parsed}


@contextlib.contextmanager
def running(fleet: Fleet, *, port: int = 0, options: Options | None = None) -> Iterator[Simulator]:
    """A simulated Azure on a thread of this process, for as long as the block lasts."""
    server = Server(fleet, port=port, options=options)
    thread = threading.Thread(target=server.run, name="simulated-azure", daemon=True)
    thread.start()
    try:
        _wait(lambda: server.started or not thread.is_alive())
        if not server.started:
            raise RuntimeError(f"the simulated Azure did not start on {server.url}")
        yield Simulator(server=server)
    finally:
        server.stop()
        thread.join(_PATIENCE)
        server.close()


def local_settings(settings: Mapping[str, str]) -> Document:
    """A Functions `local.settings.json` with these settings."""
    values: Document = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        **settings,
    }
    return {"IsEncrypted": False, "Values": values}


def write_local_settings(file: Path, settings: Mapping[str, str]) -> None:
    file.write_text(json.dumps(local_settings(settings), indent=2) + "\n", encoding="utf-8")


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done() and time.monotonic() < deadline:
        time.sleep(0.005)
