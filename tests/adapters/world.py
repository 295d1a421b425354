"""A simulated Azure with an estate in it, and the adapters pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from adapters.clients import Clients
from adapters.clock import SimulatorClock
from adapters.estate import AzureEstate
from adapters.writer import AzureWriter
from detectors import DETECTORS
from detectors.protocol import kql
from engine.ports import quiet
from model.documents import Document
from model.facts import Facts, Reading
from model.findings import Finding, Unknown
from simulator.fleet import Fleet
from simulator.options import Options
from simulator.serve import Simulator, running

LOOKBACK = timedelta(days=35)


@dataclass(frozen=True, kw_only=True)
class World:
    """One estate, seen through the adapters."""

    azure: Simulator
    fleet: Fleet
    estate: AzureEstate
    writer: AzureWriter
    clock: SimulatorClock

    def facts(self, *readings: Reading) -> Facts:
        """What a sweep of all detectors reads, or only some readings."""
        queries = {name: kql(name) for detector in DETECTORS for name in detector.queries}
        if readings:
            return self.estate.read(frozenset(readings), {}, quiet)
        return self.estate.read(frozenset(Reading), queries, quiet)

    def closer(self, facts: Facts) -> Facts:
        return self.estate.look_closer(facts, frozenset[str]().union(*(d.suspects(facts) for d in DETECTORS)))

    def found(self) -> tuple[list[Finding], list[Unknown]]:
        """What a sweep of all detectors finds, and what it could not tell."""
        facts = self.closer(self.facts())
        said = [detection for detector in DETECTORS for detection in detector.detect(facts)]
        return [d for d in said if isinstance(d, Finding)], [d for d in said if isinstance(d, Unknown)]

    def written(self) -> list[Document]:
        """Everything that reached Azure and could have changed something, as its log has it."""
        reads = ("/query", "/$batch", "/providers/microsoft.resourcegraph/resources")
        return [
            request
            for request in self.azure.requests()
            if request["method"] != "GET" and not str(request["path"]).split("?", 1)[0].lower().endswith(reads)
        ]

    def writes(self) -> list[str]:
        """The same as `METHOD path`."""
        return [f"{request['method']} {request['path']}" for request in self.written()]


@contextmanager
def a_world(
    fleet: Fleet, *, options: Options | None = None, may_write: Callable[[], str | None] = lambda: None
) -> Iterator[World]:
    with running(fleet, options=options) as azure:
        clock = SimulatorClock(azure.url)
        yield World(
            azure=azure,
            fleet=fleet,
            clock=clock,
            estate=AzureEstate(
                Clients(azure.url, read_only=True, back_off=0),
                clock,
                account=fleet.account,
                workspace=fleet.workspace,
                subscriptions=fleet.subscriptions,
                lookback=LOOKBACK,
            ),
            writer=AzureWriter(lambda: Clients(azure.url, read_only=False, back_off=0), clock, may_write),
        )
