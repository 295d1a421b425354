"""The prober against the simulated Azure: the diagnosis goes in, its answer comes out, and nothing else leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from azure.core.rest import HttpRequest

from adapters.clients import Clients
from adapters.clock import SimulatorClock
from adapters.prober import AzureProber, diagnoses
from engine.ports import ProbeAnswered, ProbeFailed, ProbePending, ProbeProgress, WriteForbidden
from model.diagnosis import Diagnosis, OperatingSystem, Result, parse_diagnosis
from model.documents import Document, text_at
from model.facts import Machine, PowerState
from simulator.serve import Simulator, running
from tests.simulator.small_estate import ACCOUNT, SmallEstate, arc_id, vm_id

NAME = "patchwright-probe-0123456789abcdef"


@dataclass
class Probing:
    azure: Simulator
    prober: AzureProber

    def ask(self, machine: Machine) -> ProbeProgress:
        """To the end, whatever that is."""
        progress = self.prober.begin(machine, NAME)
        for _ in range(5):
            if not isinstance(progress, ProbePending):
                break
            progress = self.prober.check(machine.arm_id, NAME)
        return progress


def a_machine(arm_id: str, os: str = "Windows") -> Machine:
    return Machine(
        id=arm_id.lower(), arm_id=arm_id, name=arm_id.rsplit("/", 1)[1], location="westeurope", os=os, vm_id="",
        power=PowerState.RUNNING, is_arc="hybridcompute" in arm_id.lower(),
    )  # fmt: skip


@pytest.fixture
def probing() -> Iterator[Probing]:
    estate = SmallEstate().vm("web-01").vm("lin-01", os="Linux").vm("off-01", power="deallocated").arc("arc-01")
    with running(estate.fleet()) as azure:
        clients = Clients(azure.url, read_only=False, probes=diagnoses())
        yield Probing(azure, AzureProber(lambda: clients, SimulatorClock(azure.url), azure.url, ACCOUNT))


@pytest.mark.parametrize(
    ("machine", "os"),
    [
        (a_machine(vm_id("web-01")), OperatingSystem.WINDOWS),
        (a_machine(vm_id("lin-01"), "Linux"), OperatingSystem.LINUX),
        (a_machine(arc_id("arc-01")), OperatingSystem.WINDOWS),
    ],
    ids=["windows", "linux", "arc"],
)
def test_a_machine_says_what_is_inside(probing: Probing, machine: Machine, os: OperatingSystem) -> None:
    progress = probing.ask(machine)

    assert isinstance(progress, ProbeAnswered)
    diagnosis = parse_diagnosis(progress.text, os)
    assert isinstance(diagnosis, Diagnosis)
    # Which updates a simulated Windows has installed only its fleet could tell.
    unknown = ["installed-updates"] if os is OperatingSystem.WINDOWS else []
    assert [rule.id for rule in diagnosis.rules(Result.UNKNOWN)] == unknown
    # The Arc machine of this estate never registered a worker.
    assert [rule.id for rule in diagnosis.rules(Result.FAILED)] == [
        "system-worker-running",
        "worker-registration",
    ] * machine.is_arc


def test_nothing_of_it_is_left_on_the_machine(probing: Probing) -> None:
    probing.ask(a_machine(vm_id("web-01")))

    assert probing.prober.check(vm_id("web-01"), NAME) == ProbeFailed(
        reason="the diagnosis is gone, and with it what it said"
    )


def test_what_it_sends_counts_as_a_probe(probing: Probing) -> None:
    probing.ask(a_machine(vm_id("web-01")))

    assert (probing.prober.requests.probe, probing.prober.requests.write) == (2, 0)


def test_a_probe_that_was_sent_is_not_sent_again(probing: Probing) -> None:
    machine = a_machine(vm_id("web-01"))

    probing.prober.begin(machine, NAME)
    probing.prober.begin(machine, NAME)

    assert probing.prober.requests.probe == 1


def test_a_machine_that_cannot_take_a_script_is_a_reason(probing: Probing) -> None:
    assert probing.ask(a_machine(vm_id("off-01"))) == ProbeFailed(reason="the machine is not running")
    assert probing.ask(a_machine(vm_id("gone-01"))) == ProbeFailed(reason="the machine is gone")
    assert isinstance(probing.ask(a_machine("/subscriptions/none")), ProbeFailed)


def test_a_script_that_hangs_ends_some_time(probing: Probing) -> None:
    probing.azure.order({"kind": "script-hangs", "path": "web-01"})
    machine = a_machine(vm_id("web-01"))

    assert probing.ask(machine) == ProbePending()
    probing.azure.advance(timedelta(minutes=11))
    progress = probing.prober.check(machine.arm_id, NAME)

    assert isinstance(progress, ProbeFailed)
    assert "timedout" in progress.reason


COMMAND = f"{vm_id('web-01')}/runCommands"
SCRIPT = min(diagnoses())


def a_body(beside: dict[str, object] | None = None, **properties: object) -> dict[str, object]:
    """The diagnosis as it may go out, but for what is changed."""
    allowed = {
        "source": {"script": SCRIPT},
        "parameters": [{"name": "Cloud", "value": "public"}],
        "asyncExecution": True,
        "timeoutInSeconds": 600,
    }
    return {"location": "westeurope", "properties": allowed | properties} | (beside or {})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"{COMMAND}/{NAME}", a_body(source={"script": "Restart-Computer"})),
        ("PUT", f"{COMMAND}/{NAME}", a_body(source={"script": SCRIPT + "\nRestart-Computer"})),
        ("PUT", f"{COMMAND}/{NAME}", a_body(source={"scriptUri": "https://elsewhere.example/x"})),
        ("PUT", f"{COMMAND}/{NAME}", a_body(source={"script": SCRIPT, "commandId": "x"})),
        ("PUT", f"{COMMAND}/{NAME}", a_body(parameters=[{"name": "LD_PRELOAD", "value": "public"}])),
        ("PUT", f"{COMMAND}/{NAME}", a_body(parameters=[{"name": "", "value": "public"}])),
        ("PUT", f"{COMMAND}/{NAME}", a_body(parameters=[{"name": "Cloud", "value": "$(reboot)"}])),
        ("PUT", f"{COMMAND}/{NAME}", a_body(protectedParameters=[{"name": "Cloud", "value": "public"}])),
        ("PUT", f"{COMMAND}/{NAME}", a_body(runAsUser="root")),
        ("PUT", f"{COMMAND}/{NAME}", a_body(outputBlobUri="https://elsewhere.example/x")),
        ("PUT", f"{COMMAND}/{NAME}", a_body({"tags": {"a": "b"}})),
        ("PUT", f"{COMMAND}/{NAME}", [a_body()]),
        ("PUT", f"{COMMAND}/another", a_body()),
        ("PUT", vm_id("web-01"), a_body()),
        ("PATCH", f"{COMMAND}/{NAME}", a_body()),
        ("POST", f"{vm_id('web-01')}/restart", None),
        ("DELETE", vm_id("web-01"), None),
        ("DELETE", f"{COMMAND}/another", None),
        ("DELETE", f"{COMMAND}/{NAME}/../../../web-01", None),
    ],
)
def test_nothing_but_the_diagnosis_leaves(probing: Probing, method: str, path: str, body: object) -> None:
    clients = Clients(probing.azure.url, read_only=False, probes=diagnoses())

    with pytest.raises(WriteForbidden):
        clients.send(HttpRequest(method, f"{probing.azure.url}{path}?api-version=2026-04-01", json=body))

    assert clients.requests.probe == 0


def test_the_diagnosis_itself_leaves(probing: Probing) -> None:
    """What the cases above differ from in one thing each."""
    clients = Clients(probing.azure.url, read_only=False, probes=diagnoses())

    clients.send(HttpRequest("PUT", f"{probing.azure.url}{COMMAND}/{NAME}?api-version=2026-04-01", json=a_body()))

    assert clients.requests.probe == 1


def test_a_script_that_fails_is_a_reason(probing: Probing) -> None:
    probing.azure.order({"kind": "script-fails", "path": "web-01", "exitCode": 1, "stderr": "Zugriff verweigert"})

    progress = probing.ask(a_machine(vm_id("web-01")))

    assert progress == ProbeFailed(reason="the diagnosis failed: Zugriff verweigert")


@pytest.mark.parametrize("status", [409, 429, 500])
def test_a_service_that_refuses_is_a_reason(probing: Probing, status: int) -> None:
    """A conflict with another extension, throttling, an outage: the sweep goes on without this machine."""
    probing.azure.order({"kind": "error", "status": status, "method": "PUT", "path": "runCommands"})

    progress = probing.ask(a_machine(vm_id("web-01")))

    assert isinstance(progress, ProbeFailed)
    assert str(status) in progress.reason


def test_a_machine_that_stops_meanwhile_is_given_up_and_nothing_is_left(probing: Probing) -> None:
    """Whoever will not look again takes the run command away, and what still runs with it."""
    probing.azure.order({"kind": "script-hangs", "path": "web-01"})
    machine = a_machine(vm_id("web-01"))

    assert probing.ask(machine) == ProbePending()
    assert probing.prober.check(machine.arm_id, NAME, last=True) == ProbePending()
    assert probing.prober.check(machine.arm_id, NAME) == ProbeFailed(
        reason="the diagnosis is gone, and with it what it said"
    )


def test_what_an_earlier_diagnosis_left_behind_is_taken_away(probing: Probing) -> None:
    """A machine holds no more than 25 run commands."""
    machine, earlier = a_machine(vm_id("web-01")), f"{NAME[:-1]}0"
    probing.prober.begin(machine, earlier)
    probing.azure.advance(timedelta(minutes=1))
    probing.azure.advance(timedelta(minutes=1))

    assert isinstance(probing.ask(machine), ProbeAnswered)
    assert isinstance(probing.prober.check(machine.arm_id, earlier), ProbeFailed)


def parameters_sent(azure: Simulator) -> list[Document]:
    bodies = [json.loads(text_at(one, "body")) for one in azure.requests() if one["method"] == "PUT"]
    return [{str(p["name"]): p["value"] for p in body["properties"]["parameters"]} for body in bodies]


def test_the_script_is_told_the_cloud_and_the_region_of_the_account(probing: Probing) -> None:
    """Hosts of Automation are named after both; where the account cannot be read, the region is left out."""
    blind = AzureProber(
        lambda: Clients(probing.azure.url, read_only=False, probes=diagnoses()),
        SimulatorClock(probing.azure.url),
        probing.azure.url,
        f"{ACCOUNT}-of-nobody",
    )

    probing.prober.begin(a_machine(vm_id("web-01")), NAME)
    blind.begin(a_machine(vm_id("lin-01"), "Linux"), NAME)

    assert parameters_sent(probing.azure) == [{"Cloud": "public", "Location": "westeurope"}, {"Cloud": "public"}]
