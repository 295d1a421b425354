"""The present: the machine's, or the one that the simulated Azure keeps and moves when told to."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from urllib.request import Request, urlopen

from engine.ports import AzureUnavailable
from model.times import format_time, parse_time


class SystemClock:
    """The clock of the machine, and real waiting."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep_until(self, due: datetime) -> None:
        while (left := (due - self.now()).total_seconds()) > 0:
            # In slices, so that a computer that slept meanwhile does not sleep on.
            time.sleep(min(left, 60))


class SimulatorClock:
    """The simulated Azure's clock: waiting moves it forward instead of waiting."""

    def __init__(self, url: str) -> None:
        """`url` is the simulated Azure's address: `http://127.0.0.1:PORT`, checked by the settings."""
        self.address = url
        self._url = f"{url}/_simulator/clock"

    def now(self) -> datetime:
        return self._ask(Request(self._url))  # noqa: S310 - the settings allow only http to loopback

    def sleep_until(self, due: datetime) -> None:
        if due > self.now():
            body = json.dumps({"to": format_time(due)}).encode()
            self._ask(Request(self._url, body, {"Content-Type": "application/json"}))  # noqa: S310 - as above

    def _ask(self, request: Request) -> datetime:
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                body = json.load(answer)
        except (OSError, ValueError) as error:
            raise AzureUnavailable(f"the simulated Azure's clock at {self._url} does not answer: {error}") from error
        now = parse_time(body.get("now") if isinstance(body, dict) else None)
        if now is None:
            raise AzureUnavailable(f"the simulated Azure's clock at {self._url} answered without a time")
        return now
