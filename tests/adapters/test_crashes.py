"""The real writer in front of the simulated Azure: it may die at every request and at every line of the ledger.

For every kind of step: whatever dies where, and is delivered again, Azure is changed once, the ledger says so once, and
the treatment ends as it does when nothing dies. Claims and releases are left to `tests/engine/test_crashes.py`.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pytest

from adapters.clients import Clients
from adapters.writer import AzureWriter
from engine.catalogue import Catalogue
from engine.engine import Engine
from engine.inline import drive
from engine.journal import Line
from engine.process import PROCESSES
from engine.settings import Settings
from engine.wire import to_json
from model.deployments import body_to_put
from model.documents import Document, at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import (
    AwaitIdentity,
    Plan,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    Settle,
    StartMachine,
    Step,
    Treatment,
)
from model.states import FailureState, Impact, Mode
from tests.adapters.world import World, a_world
from tests.builders import HOUR
from tests.engine.fakes import MemoryLedger
from tests.simulator.small_estate import (
    ACCOUNT,
    SUBSCRIPTION,
    WORKSPACE,
    WORKSPACE_GUID,
    SmallEstate,
    arc_id,
    vm_id,
)
from tests.support.tripwire import Death, TrippedLedger, Tripwire, redelivered

STATE: Final = FailureState.MAINTENANCE_WINDOW_EXCEEDED
TARGETS: Final = 50
"""More than there are places to die at in any step: each death has a target of its own."""
KEY: Final[Document] = {"SourceComputerId": "11111111-2222-4333-8444-000000000001"}
NEVER: Final = "9999-12-31T23:59:59.9999999+00:00"
STEP_ID: Final = {"StepId": "0123456789abcdef"}


class Mortal(Clients):
    """Clients that may die before a request leaves, or when its answer has come and nobody has heard of it."""

    wire: Tripwire

    def _policies(self, home: str, scope: str) -> list[object]:
        from azure.core.pipeline.policies import SansIOHTTPPolicy

        wire = self.wire

        class Dying(SansIOHTTPPolicy[Any, Any]):
            def on_request(self, request: object) -> None:
                wire.begin()

            def on_response(self, request: object, response: object) -> None:
                wire.end()

        return [*super()._policies(home, scope), Dying()]


def mortal(url: str, wire: Tripwire) -> Clients:
    clients = Mortal(url, read_only=False, back_off=0)
    clients.wire = wire
    return clients


@dataclass(slots=True)
class Estate:
    """The estate of all these deaths, and what each kind of step does to the n-th target in it."""

    world: World
    deployments: Facts
    quota: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    query: Iterator[int] = field(default_factory=itertools.count)

    def steps(self, kind: str, n: int) -> tuple[Step, ...]:
        match kind:
            case "take a machine out and put it back":
                return self._deployment(f"D{n}")
            case "edit a saved search":
                (search,) = self.world.facts(Reading.SAVED_SEARCHES).saved_searches.values()
                after = copy.deepcopy(search.document)
                cast("Document", after["properties"])["query"] = f"Heartbeat | take {next(self.query)}"
                return (PutSavedSearch(saved_search=str(search.document["id"]), before=search.document, after=after),)
            case "run a script in a VM":
                return (self._script(vm_id(f"vm-{n}")),)
            case "run a script in an Arc machine":
                return (self._script(arc_id(f"arc-{n}")),)
            case "await an identity":
                wait = AwaitIdentity(
                    machine=vm_id(f"vm-{n}"), workspace_guid=WORKSPACE_GUID, not_source_computer_id="another"
                )
                return (wait,)
            case "register a provider":
                namespace = f"Contoso.Number{n}"
                step = RegisterProvider(subscription=SUBSCRIPTION, namespace=namespace, state_before="NotRegistered")
                return (step,)
            case "start a machine":
                return (StartMachine(machine=vm_id(f"off-{n}"), power_before="deallocated"),)
            case _:
                gb = next(self.quota)
                return (SetDailyQuota(workspace=WORKSPACE, gb_before=gb - 1 or -1.0, gb_after=gb),)

    def _deployment(self, name: str) -> tuple[Step, ...]:
        id_ = f"{ACCOUNT}/softwareUpdateConfigurations/{name}"
        before = self.world.estate.look_closer(self.deployments, frozenset({id_.lower()})).documents[id_.lower()]
        with_all = body_to_put(before)
        schedule = cast("dict[str, Document]", with_all["properties"])["scheduleInfo"]
        schedule["startTime"] = at(before, "properties.scheduleInfo.nextRun")
        without = copy.deepcopy(with_all)
        cast("dict[str, Document]", without["properties"])["updateConfiguration"]["azureVirtualMachines"] = [
            vm_id("vm-1")
        ]
        return (
            PutDeployment(deployment=id_, before=before, after=without),
            PutDeployment(deployment=id_, before=without, after=with_all, restores=True),
        )

    @staticmethod
    def _script(machine: str) -> Step:
        return RunScript(
            machine=machine, location="westeurope", script="windows/reset-worker-key.ps1", parameters=STEP_ID
        )


KINDS: Final = (
    "take a machine out and put it back",
    "edit a saved search",
    "run a script in a VM",
    "run a script in an Arc machine",
    "await an identity",
    "register a provider",
    "start a machine",
    "set a daily cap",
)


@pytest.fixture
def estate() -> Iterator[Estate]:
    """One for each kind of step, so that the log of what reached it stays short."""
    made = SmallEstate().saved_search("Heartbeat")
    for n in range(TARGETS):
        made.vm(f"vm-{n}").vm(f"off-{n}", power="deallocated").arc(f"arc-{n}")
        made.deployment(f"D{n}", "vm-0", "vm-1", expiryTime=NEVER)
        made.guest(f"vm-{n}", workerKey=dict(KEY)).provider(SUBSCRIPTION, "NotRegistered", f"Contoso.Number{n}")
        made.guests[arc_id(f"arc-{n}")] = {"workerKey": dict(KEY)}
    for document in made.documents:
        if str(document.get("type", "")).endswith("softwareUpdateConfigurations"):
            cast("Document", document["properties"])["provisioningState"] = "Succeeded"
    with a_world(made.fleet()) as world:
        yield Estate(world=world, deployments=world.facts(Reading.DEPLOYMENTS))


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a treatment: what reached Azure, and what the ledger says."""

    changes: tuple[str, ...]
    lines: tuple[str, ...]
    outcome: str
    leases: int


def treated(estate: Estate, steps: tuple[Step, ...], wire: Tripwire) -> Ended:
    """Treat a target with a process that dies where the wire is cut, and is started again."""
    world, ledger = estate.world, MemoryLedger()
    settings = Settings(
        dry_run=False,
        subscriptions=(SUBSCRIPTION,),
        account=ACCOUNT,
        workspace=WORKSPACE,
        modes={STATE: Mode.ACT},
        max_machines=1000,
        max_percent=100,
    )
    engine = Engine(
        settings=settings,
        catalogue=Catalogue.of(settings),
        estate=world.estate,
        writer=AzureWriter(lambda: mortal(world.azure.url, wire), world.clock, lambda: None),
        ledger=TrippedLedger(ledger, wire, claims=False),
        clock=world.clock,
    )
    finding = Finding(state=STATE, target="/target", name="target", reason="it is so")
    plan = Plan(
        finding=finding,
        remediation="widen-maintenance-window",
        impact=Impact.REVERSIBLE,
        reason="a test",
        steps=steps,
        settle=Settle(after=HOUR, why="a test"),
    )
    key, seen = finding.key, len(world.written())
    saved = Line(f"plan:{key}", "plan", to_json(Treatment(id="t", plan=plan)), key)
    wire_at, wire.at = wire.at, None
    engine.journal.record("run", Line("run", "run", {}), saved)
    wire.at, wire.count = wire_at, 0

    admitted: Document = {"treatments": [{"finding": key, "steps": len(steps)}]}
    activities: Mapping[str, Callable[[Document], Document]] = {
        "second_look": lambda _: admitted,
        "step": redelivered(engine.activities["step"]),
        "settle": redelivered(engine.activities["settle"]),
    }
    drive(PROCESSES["wave"]({"run": "run", "attempt": "run", "findings": [key]}), activities, world.clock)

    entries = ledger.entries("run")
    ends = [entry for entry in entries if entry.kind in {"applied", "outcome"}]
    return Ended(
        changes=changes(world.written()[seen:]),
        lines=tuple(str(entry.body["event"]) for entry in entries if entry.kind == "step"),
        outcome=" ".join(entry.kind for entry in ends),
        leases=sum(1 for name in ledger.claims if name.startswith("lease:")),
    )


def changes(requests: Iterable[Document]) -> tuple[str, ...]:
    """What changed something, in order. To remove once more what is removed changes nothing."""
    done = [changed(request) for request in requests if int(str(request["status"])) < 400]
    return tuple(one for n, one in enumerate(done) if not (one.startswith("DELETE ") and one in done[:n]))


def changed(request: Document) -> str:
    """The request without its target's number: each death has a target of its own."""
    path = str(request["path"]).partition("?")[0]
    return re.sub(r"\d+", "N", f"{request['method']} {path}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_may_die_anywhere(estate: Estate, kind: str) -> None:
    """Before the first and after every request to Azure and every line of the ledger."""
    alive = Tripwire()
    undisturbed = treated(estate, estate.steps(kind, 0), alive)
    assert undisturbed.outcome == "applied"
    assert undisturbed.leases == 0
    assert alive.count + 2 < TARGETS, "a target for each death"

    for number in range(alive.count + 1):
        wire = Tripwire(at=number)

        ended = treated(estate, estate.steps(kind, number + 1), wire)

        assert wire.cut, f"{kind}: nothing died after thing {number} of {alive.count}"
        assert ended == undisturbed, f"{kind}: dead after thing {number} of {alive.count}"


def test_a_wire_that_is_cut_kills(estate: Estate) -> None:
    """What all of the above rests on: nothing between Azure and the activity survives a death."""
    wire = Tripwire(at=0)
    writer = AzureWriter(lambda: mortal(estate.world.azure.url, wire), estate.world.clock, lambda: None)

    with pytest.raises(Death):
        writer.begin(estate.steps("start a machine", TARGETS - 1)[0], "step", {})
