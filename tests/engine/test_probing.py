"""Looking into machines: suspects only, seldom, where it is allowed; and whatever comes back, the survey goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

import pytest

from engine.ports import ProbeAnswered, ProbeFailed, ProbePending, ProbeProgress, RequestCount
from engine.probing import SELDOM, probe_name
from model.diagnosis import RULES, Diagnosis, OperatingSystem, Result, checksum
from model.documents import Document
from model.facts import Facts, Machine, PowerState, Reading, Unreadable
from model.findings import Detection
from model.states import FailureState
from tests.builders import a_machine
from tests.engine.conftest import App


def an_answer(os: OperatingSystem = OperatingSystem.WINDOWS, **said: str) -> str:
    said = {"kbs": "P:0"} | said
    lines = "".join(f"{rule.code}:{said.get(rule.code, 'P')}\n" for rule in RULES.of(os))
    end = f"patchwright-end {len(RULES.of(os))} {checksum(lines)}"
    return f"patchwright-diagnosis 1 {os.value}\n{lines}{end}\n"


@dataclass(slots=True)
class FakeProber:
    """Implements `Prober`: every machine is pending for one look, and then says what it is told to."""

    says: dict[str, ProbeProgress] = field(default_factory=dict)
    """By the machine's name; a machine that is not here passes every rule."""
    sent: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    requests: RequestCount = field(default_factory=RequestCount)

    def begin(self, machine: Machine, name: str) -> ProbeProgress:
        self.sent.append(machine.name)
        self.requests.probe += 1
        return ProbePending()

    def check(self, machine: str, name: str) -> ProbeProgress:
        short = machine.rsplit("/", 1)[1]
        self.checked.append(short)
        return self.says.get(short, ProbeAnswered(text=an_answer()))


class Suspicious:
    """A detector that wants every machine looked into, and remembers what it was told."""

    finds: ClassVar[FailureState] = FailureState.CLOCK_SKEW
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.told: Facts | None = None

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        return frozenset(facts.machines)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        self.told = facts
        return iter(())


@dataclass(slots=True)
class Probed:
    """An app whose only detector is suspicious."""

    app: App
    prober: FakeProber = field(default_factory=FakeProber)
    detector: Suspicious = field(default_factory=Suspicious)

    def has(self, *names: str, os: str = "Windows", power: PowerState = PowerState.RUNNING) -> None:
        for name in names:
            machine = replace(a_machine(name), os=os, power=power)
            self.app.world.machines[machine.id] = machine

    def set(self, **settings: object) -> None:
        self.app.set(**settings)
        catalogue = replace(self.app.engine.catalogue, detectors=(self.detector,))
        self.app.engine = replace(self.app.engine, catalogue=catalogue, prober=self.prober)

    def told(self, name: str) -> Diagnosis | Unreadable | None:
        assert self.detector.told is not None
        return self.detector.told.diagnoses.get(a_machine(name).id)

    def unreadable(self, name: str) -> str:
        told = self.told(name)
        assert isinstance(told, Unreadable)
        return told.what


@pytest.fixture
def probed(app: App) -> Probed:
    made = Probed(app)
    made.has("web-01")
    made.set(probe="suspects")
    return made


def test_what_a_suspect_says_is_among_the_facts(probed: Probed) -> None:
    probed.prober.says["web-01"] = ProbeAnswered(text=an_answer(clk="F:400s"))

    probed.app.sweep()

    told = probed.told("web-01")
    assert isinstance(told, Diagnosis)
    assert told["clock"].result is Result.FAILED
    assert probed.prober.sent == ["web-01"]


def test_nobody_is_looked_into_unless_the_setting_says_so(probed: Probed) -> None:
    probed.set(probe="never")

    probed.app.sweep()

    assert probed.prober.sent == []
    assert probed.told("web-01") is None


def test_a_dry_run_and_a_locked_app_look_inside_where_that_is_allowed(probed: Probed) -> None:
    """The script only looks; it counts as a probe, and not as a write."""
    probed.set(probe="suspects", dry_run=True)

    run = probed.app.plan()

    requests = probed.app.document(run)["facts"]["requests"]
    assert (requests["probe"], requests["write"]) == (1, 0)
    assert isinstance(probed.told("web-01"), Diagnosis)


def test_without_a_suspicious_detector_nothing_is_read_twice(app: App) -> None:
    app.set(probe="suspects")
    app.engine.prober = FakeProber()

    app.sweep()

    assert len(app.world.readings) == 1


def test_a_machine_is_looked_into_once_in_fifteen_minutes_and_its_answer_is_everybodys(probed: Probed) -> None:
    probed.prober.says["web-01"] = ProbeAnswered(text=an_answer(net="F:missing"))
    probed.app.sweep()
    first = probed.told("web-01")

    probed.app.sweep()
    assert probed.prober.sent == ["web-01"]
    assert probed.told("web-01") == first

    probed.app.clock.sleep_until(probed.app.clock.now() + SELDOM)
    probed.app.sweep()
    assert probed.prober.sent == ["web-01", "web-01"]


def test_a_run_looks_into_so_many_machines_and_no_more(probed: Probed) -> None:
    probed.has("web-02", "web-03")
    probed.set(probe="suspects", max_probes=2)

    probed.app.sweep()

    assert probed.prober.sent == ["web-01", "web-02"]
    assert probed.unreadable("web-03") == "2 machines were looked into, and this run may look into no more"


def test_only_what_was_asked_for_is_looked_into(probed: Probed) -> None:
    probed.has("web-02")

    probed.app.sweep(machines=[a_machine("web-02").id])
    probed.app.sweep(machines=[])

    assert probed.prober.sent == ["web-02"]


def test_a_machine_that_is_stopped_or_of_no_known_system_is_left_alone(probed: Probed) -> None:
    probed.has("off-01", power=PowerState.DEALLOCATED)
    probed.has("odd-01", os="")

    probed.app.sweep()

    assert probed.prober.sent == ["web-01"]
    assert probed.unreadable("off-01") == "it is not running"
    assert probed.unreadable("odd-01") == "its operating system is not known"


def test_an_answer_that_is_cut_is_unreadable(probed: Probed) -> None:
    probed.prober.says["web-01"] = ProbeAnswered(text=an_answer()[100:])

    probed.app.sweep()

    assert probed.unreadable("web-01") == "the diagnosis has no beginning"


def test_a_probe_that_fails_is_a_reason_and_not_the_end_of_the_sweep(probed: Probed) -> None:
    probed.prober.says["web-01"] = ProbeFailed(reason="the machine's guest agent is not ready")

    run = probed.app.sweep()

    assert probed.unreadable("web-01") == "the machine's guest agent is not ready"
    assert probed.app.document(run)["status"] == "completed"


def test_a_machine_that_never_answers_is_not_waited_for_forever(probed: Probed) -> None:
    probed.prober.says["web-01"] = ProbePending()
    began = probed.app.clock.now()

    probed.app.sweep()

    assert probed.unreadable("web-01") == "the diagnosis did not answer in time"
    assert probed.app.clock.now() - began < timedelta(minutes=16)


def test_a_survey_that_is_delivered_twice_sends_nothing_twice(probed: Probed) -> None:
    """At any place: the first delivery may have died after every line that it wrote."""
    twice = {name: _twice(activity) for name, activity in probed.app.activities.items()}

    probed.app.sweep(activities={**probed.app.activities, "survey": twice["survey"]})

    assert probed.prober.sent == ["web-01"]


def test_a_name_is_the_runs_and_the_machines_and_fits() -> None:
    one = probe_name("run-1", "/subscriptions/a/b")

    assert one == probe_name("run-1", "/subscriptions/a/b")
    assert len({one, probe_name("run-2", "/subscriptions/a/b"), probe_name("run-1", "/subscriptions/a/c")}) == 3
    assert len(one) <= 36


def _twice(activity: Callable[[Document], Document]) -> Callable[[Document], Document]:
    def called(given: Document) -> Document:
        activity(given)
        return activity(given)

    return called
