"""Looking into machines: suspects only, seldom, where it is allowed; and whatever comes back, the survey goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

import pytest

from engine.ports import ProbeAnswered, ProbeFailed, ProbePending, ProbeProgress, RequestCount
from engine.probing import SELDOM, probe_name
from model.diagnosis import RULES, Diagnosis, OperatingSystem, Result, checksum
from model.documents import Document
from model.facts import Facts, Machine, PowerState, Reading, Unreadable
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from tests.builders import a_machine
from tests.engine.conftest import App
from tests.engine.fakes import Crash, FakeClock


def an_answer(os: OperatingSystem = OperatingSystem.WINDOWS, **said: str) -> str:
    said = {"kbs": "P:0"} | said
    lines = "".join(f"{rule.code}:{said.get(rule.code, 'P')}\n" for rule in RULES.of(os))
    end = f"patchwright-end {len(RULES.of(os))} {checksum(lines)}"
    return f"patchwright-diagnosis 1 {os.value}\n{lines}{end}\n"


@dataclass(slots=True)
class FakeProber:
    """Implements `Prober`: every machine is pending for one look, and then says what it is told to."""

    clock: FakeClock
    says: dict[str, ProbeProgress] = field(default_factory=dict)
    """By the machine's name; a machine that is not here passes every rule."""
    mended: dict[str, ProbeProgress] = field(default_factory=dict)
    """The same, of a machine that was looked into before."""
    sent: list[str] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)
    """When each was sent."""
    dies_at: int = 0
    """The process dies right after it has sent so many."""
    taken_away: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    requests: RequestCount = field(default_factory=RequestCount)

    def begin(self, machine: Machine, name: str) -> ProbeProgress:
        self.sent.append(machine.name)
        self.at.append(self.clock.now())
        self.requests.probe += 1
        if len(self.sent) == self.dies_at:
            raise Crash
        return ProbePending()

    def check(self, machine: str, name: str, *, last: bool = False) -> ProbeProgress:
        short = machine.rsplit("/", 1)[1]
        self.checked.append(short)
        if last:
            self.taken_away.append(short)
        if self.sent.count(short) > 1 and short in self.mended:
            return self.mended[short]
        return self.says.get(short, ProbeAnswered(text=an_answer()))


class Suspicious:
    """A detector that wants every machine looked into, and remembers what it was told; it finds policies."""

    finds: ClassVar[FailureState] = FailureState.UNEXPLAINED_REBOOTS
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.told: Facts | None = None
        self.doubts: set[str] = set()
        """Of whom it cannot tell anything without a look inside."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        return frozenset(facts.machines)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        self.told = facts
        for id_, machine in facts.machines.items():
            match facts.diagnoses.get(id_):
                case Unreadable(what=what):
                    yield Unknown(state=self.finds, target=id_, missing=what)
                case Diagnosis() as diagnosis if diagnosis["restart-policy"].result is Result.WARNING:
                    yield Finding(state=self.finds, target=id_, name=machine.name, reason="it says so")
                case None if id_ in self.doubts:
                    yield Unknown(state=self.finds, target=id_, missing="a look inside")
                case _:
                    pass


@dataclass(slots=True)
class Probed:
    """An app whose only detector is suspicious."""

    app: App
    prober: FakeProber
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
    made = Probed(app, FakeProber(clock=app.clock))
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


def test_where_nobody_is_suspected_nothing_is_read_twice(app: App) -> None:
    app.set(probe="suspects")
    app.engine = replace(app.engine, prober=FakeProber(clock=app.clock))

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

    assert len(probed.prober.sent) == 2
    (left_out,) = {"web-01", "web-02", "web-03"} - set(probed.prober.sent)
    assert probed.unreadable(left_out) == "2 machines were looked into, and this run may look into no more"


def test_machines_that_cannot_be_looked_into_take_nobodys_place(probed: Probed) -> None:
    probed.has(*(f"off-{number}" for number in range(8)), power=PowerState.DEALLOCATED)
    probed.set(probe="suspects", max_probes=1)

    probed.app.sweep()

    assert probed.prober.sent == ["web-01"]


def test_whom_nothing_could_be_told_of_comes_first(probed: Probed) -> None:
    names = [f"web-{number:02}" for number in range(1, 10)]
    probed.has(*names)
    probed.set(probe="suspects", max_probes=1)
    probed.detector.doubts = {a_machine("web-07").id}

    for _ in range(5):
        probed.app.sweep()
        probed.app.clock.sleep_until(probed.app.clock.now() + SELDOM)

    assert probed.prober.sent == ["web-07"] * 5


def test_where_there_are_too_many_suspects_every_one_has_its_turn(probed: Probed) -> None:
    """Not the same ones every night."""
    probed.has(*(f"web-{number:02}" for number in range(2, 7)))
    probed.set(probe="suspects", max_probes=2)

    for _ in range(20):
        probed.app.sweep()
        probed.app.clock.sleep_until(probed.app.clock.now() + SELDOM)

    assert set(probed.prober.sent) == {f"web-{number:02}" for number in range(1, 7)}


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
    assert probed.prober.taken_away == ["web-01"]
    assert probed.app.clock.now() - began < timedelta(minutes=16)


def test_a_survey_that_is_delivered_twice_sends_nothing_twice(probed: Probed) -> None:
    """At any place: the first delivery may have died after every line that it wrote."""
    twice = {name: _twice(activity) for name, activity in probed.app.activities.items()}

    probed.app.sweep(activities={**probed.app.activities, "survey": twice["survey"]})

    assert probed.prober.sent == ["web-01"]


def test_a_diagnosis_that_somebody_hands_in_counts_and_nobody_looks_again(probed: Probed) -> None:
    """Ours or a troubleshooter's, and where nobody may look into machines, too."""
    probed.has("web-02")
    record = '{"RuleId": "WUServiceRunningCheck", "CheckResult": "Failed", "CheckResultMessageId": ""}'
    probed.set(probe="suspects")
    probed.app.engine.sweeping.kept = {
        a_machine("web-01").id.upper(): an_answer(clk="F:400s"),
        a_machine("web-02").id: record,
    }

    probed.app.sweep()

    ours, theirs = probed.told("web-01"), probed.told("web-02")
    assert isinstance(ours, Diagnosis)
    assert isinstance(theirs, Diagnosis)
    assert ours["clock"].result is Result.FAILED
    assert theirs["windows-update-service"].result is Result.FAILED
    assert theirs["clock"].result is Result.UNKNOWN
    assert probed.prober.sent == []


def test_what_is_handed_in_and_cannot_be_read_is_unreadable(probed: Probed) -> None:
    probed.set(probe="never")
    probed.app.engine.sweeping.kept = {a_machine("web-01").id: "Access is denied."}

    probed.app.sweep()

    assert probed.unreadable("web-01").startswith("the troubleshooter's output is not JSON")


def test_what_was_handed_in_before_a_repair_does_not_verify_it(probed: Probed) -> None:
    probed.app.engine.sweeping.kept = {a_machine("web-01").id: RESTARTS.text}
    probed.prober.says["web-01"] = ProbeAnswered(text=an_answer())

    run = probed.app.sweep()

    assert [*probed.app.outcomes(run).values()] == ["remediated"]
    assert probed.prober.sent == ["web-01"]


RESTARTS: Final = ProbeAnswered(text=an_answer(rbp="W:scheduled"))


def test_what_a_diagnosis_found_is_repaired_and_looked_into_once_more(probed: Probed) -> None:
    probed.prober.says["web-01"] = RESTARTS
    probed.prober.mended["web-01"] = ProbeAnswered(text=an_answer())

    run = probed.app.sweep()

    assert probed.app.hand.writes == ["windows/set-reboot-policy.ps1 on web-01"]
    assert [*probed.app.outcomes(run).values()] == ["remediated"]
    assert probed.prober.sent == ["web-01", "web-01"]
    assert probed.prober.at[1] - probed.prober.at[0] >= SELDOM


def test_what_is_still_so_inside_was_not_repaired(probed: Probed) -> None:
    probed.prober.says["web-01"] = RESTARTS

    run = probed.app.sweep()

    assert [*probed.app.outcomes(run).values()] == ["ineffective"]
    assert probed.app.reason(run) == "still found: it says so"


def test_an_answer_from_before_the_repair_proves_nothing(probed: Probed) -> None:
    """A machine that does not answer any more is not repaired: it is asked again, and then a person is."""
    probed.prober.says["web-01"] = RESTARTS
    probed.prober.mended["web-01"] = ProbeFailed(reason="the machine is not running")

    run = probed.app.sweep()

    assert [*probed.app.outcomes(run).values()] == ["ineffective"]
    assert probed.app.reason(run) == "applied, and could not be verified: the machine is not running"
    assert len(probed.prober.sent) > 2


def test_a_verification_waits_until_the_machine_may_be_looked_into_again(probed: Probed) -> None:
    probed.prober.says["web-01"] = RESTARTS
    probed.prober.mended["web-01"] = ProbeAnswered(text=an_answer())
    taken: list[datetime] = []

    def somebody_else_looks(name: str, given: Document) -> None:
        # Before the verification, which is due in two days.
        if name == "next_look" and not taken and probed.app.hand.writes:
            taken.append(probed.app.clock.now() + timedelta(days=2, hours=1) + SELDOM)
            probed.app.ledger.claims[f"probe:{a_machine('web-01').id}"] = "run-of-another", taken[0]

    probed.app.after = somebody_else_looks
    run = probed.app.sweep()

    assert [*probed.app.outcomes(run).values()] == ["remediated"]
    assert probed.prober.at[1] >= taken[0]


def test_a_verification_that_is_delivered_twice_sends_nothing_twice(probed: Probed) -> None:
    probed.prober.says["web-01"] = RESTARTS
    probed.prober.mended["web-01"] = ProbeAnswered(text=an_answer())
    twice = {name: _twice(activity) for name, activity in probed.app.activities.items()}

    run = probed.app.sweep(activities={**probed.app.activities, "verify": twice["verify"]})

    assert [*probed.app.outcomes(run).values()] == ["remediated"]
    assert probed.prober.sent == ["web-01", "web-01"]


def test_a_name_is_the_runs_and_the_machines_and_fits() -> None:
    one = probe_name("run-1", "/subscriptions/a/b")

    assert one == probe_name("run-1", "/subscriptions/a/b")
    assert len({one, probe_name("run-2", "/subscriptions/a/b"), probe_name("run-1", "/subscriptions/a/c")}) == 3
    assert len(one) <= 36


def test_a_survey_that_dies_among_its_questions_asks_nobody_twice(probed: Probed) -> None:
    """Some were sent, and one of them only perhaps: whoever takes it up looks for the answers first."""
    probed.has("web-02", "web-03")
    probed.prober.dies_at = 2

    def delivered_until_it_lives(given: Document) -> Document:
        try:
            return probed.app.activities["survey"](given)
        except Crash:
            return probed.app.activities["survey"](given)

    probed.app.sweep(activities={**probed.app.activities, "survey": delivered_until_it_lives})

    assert sorted(probed.prober.sent) == ["web-01", "web-02", "web-03"]
    assert all(isinstance(probed.told(name), Diagnosis) for name in ("web-01", "web-02", "web-03"))


def _twice(activity: Callable[[Document], Document]) -> Callable[[Document], Document]:
    def called(given: Document) -> Document:
        activity(given)
        return activity(given)

    return called
