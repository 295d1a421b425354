"""What the logs leave open a diagnosis decides; where there is none, or it cannot tell, it stays open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors import DETECTORS
from detectors.clock_skew import ClockSkew
from detectors.installed_but_not_found import InstalledButNotFound
from detectors.kb2267602_missing import Kb2267602Missing
from detectors.protocol import LooksInside
from detectors.selfsigned_cert_failure import SelfsignedCertFailure
from detectors.unexplained_reboots import UnexplainedReboots
from detectors.updates_available_not_shown import UpdatesAvailableNotShown
from detectors.updates_without_deployment import UpdatesWithoutDeployment
from model.diagnosis import Diagnosis
from model.documents import Document
from model.facts import Facts, Machine, PowerState
from model.findings import Finding, Unknown
from tests.builders import a_complaint, a_machine, facts
from tests.detectors.answers import answer, unknown
from tests.detectors.test_unexplained_reboots import BY_A_PERSON, BY_UPDATE, a_restart
from tests.detectors.test_unexplained_reboots import world as restarted
from tests.diagnoses import a_diagnosis, looked_into

WEB = a_machine("web-01")


def definitions(machine: Machine = WEB) -> Document:
    """A row of `defender-definitions.kql`."""
    return {"MachineId": machine.id, "VmId": machine.vm_id, "Computer": machine.name, "Published": "2026-03-02T06:00Z"}


def superseded(*kbs: str) -> Document:
    """A row of `superseded-updates.kql`: what counts as installed beside a later update."""
    return {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": WEB.name, "State": "installed", "KBs": [*kbs],
        "By": ["KB5034768"],
    }  # fmt: skip


def scheduled() -> Document:
    """A row of `updates-without-deployment.kql`."""
    return {"MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": WEB.name, "First": "2026-03-01T06:00:00Z"}


OLD_DEFINITIONS = facts(machines=[WEB], rows={"defender-definitions": [definitions()]})
SUPERSEDED = facts(machines=[WEB], rows={"superseded-updates": [superseded("KB5031364", "KB5031990")]})
SCHEDULED = facts(machines=[WEB], rows={"updates-without-deployment": [scheduled()]})
NOBODY_NAMED = restarted(a_restart(event=6005))
NAMED = restarted(a_restart(text=BY_UPDATE))
A_PERSON = restarted(a_restart(text=BY_A_PERSON))

CASES = [
    # Three days are how it should be, four are not.
    (Kb2267602Missing(), OLD_DEFINITIONS, a_diagnosis(sig="P:3d"), "nothing"),
    (Kb2267602Missing(), OLD_DEFINITIONS, a_diagnosis(sig="F:4d"), "found"),
    (Kb2267602Missing(), OLD_DEFINITIONS, a_diagnosis(sig="N:off"), "nothing"),
    (Kb2267602Missing(), OLD_DEFINITIONS, a_diagnosis(sig="U:CimException"), "unknown"),
    (Kb2267602Missing(), OLD_DEFINITIONS, "it is not running", "unknown"),
    (InstalledButNotFound(), SUPERSEDED, a_diagnosis(updates=["5031364", "5031990"]), "nothing"),
    (InstalledButNotFound(), SUPERSEDED, a_diagnosis(updates=["5031990", "5034768"]), "found"),
    (InstalledButNotFound(), SUPERSEDED, a_diagnosis(), "found"),
    # More than an answer can list.
    (InstalledButNotFound(), SUPERSEDED, a_diagnosis(kbs="U:212"), "unknown"),
    (InstalledButNotFound(), SUPERSEDED, "the diagnosis has no end", "unknown"),
    (UnexplainedReboots(), NOBODY_NAMED, a_diagnosis(rbp="W:scheduled"), "found"),
    (UnexplainedReboots(), NOBODY_NAMED, a_diagnosis(rbp="W:nobodysignedin"), "found"),
    (UnexplainedReboots(), NOBODY_NAMED, a_diagnosis(), "nothing"),
    (UnexplainedReboots(), NOBODY_NAMED, a_diagnosis(rbp="U:SecurityException"), "unknown"),
    (UnexplainedReboots(), NOBODY_NAMED, "the machine is gone", "unknown"),
    # What the log names, no policy takes back.
    (UnexplainedReboots(), NAMED, a_diagnosis(), "found"),
    (UnexplainedReboots(), A_PERSON, a_diagnosis(rbp="W:scheduled"), "nothing"),
    (UpdatesWithoutDeployment(), SCHEDULED, a_diagnosis(auo="W:4"), "found"),
    (UpdatesWithoutDeployment(), SCHEDULED, a_diagnosis(auo="W:default"), "found"),
    # Set right since the newest assessment.
    (UpdatesWithoutDeployment(), SCHEDULED, a_diagnosis(auo="P:3"), "nothing"),
    (UpdatesWithoutDeployment(), SCHEDULED, a_diagnosis(auo="P:off"), "nothing"),
    # The log alone tells, as it does where nobody looks.
    (UpdatesWithoutDeployment(), SCHEDULED, a_diagnosis(auo="U:broke"), "found"),
    (UpdatesWithoutDeployment(), SCHEDULED, "the diagnosis has another checksum", "found"),
]
Told = Kb2267602Missing | InstalledButNotFound | UnexplainedReboots | UpdatesWithoutDeployment


@pytest.mark.parametrize(("detector", "seen", "inside", "said"), CASES)
def test_the_inside_decides(detector: Told, seen: Facts, inside: Diagnosis | str, said: str) -> None:
    assert answer(detector.detect(looked_into(seen, {WEB.id: inside}))) == said


@pytest.mark.parametrize("detector", [Kb2267602Missing(), InstalledButNotFound(), UnexplainedReboots()])
def test_the_reason_why_it_could_not_be_told_is_named(detector: Told) -> None:
    seen = {"Kb2267602Missing": OLD_DEFINITIONS, "InstalledButNotFound": SUPERSEDED}.get(
        type(detector).__name__, NOBODY_NAMED
    )
    told = unknown(detector.detect(looked_into(seen, {WEB.id: "the machine's guest agent is not ready"})))

    assert told[WEB.id].startswith("a diagnosis of the machine: ")
    assert told[WEB.id].endswith(" (the machine's guest agent is not ready)")


@pytest.mark.parametrize(
    ("detector", "seen"),
    [
        (Kb2267602Missing(), OLD_DEFINITIONS),
        (InstalledButNotFound(), SUPERSEDED),
        (UnexplainedReboots(), NOBODY_NAMED),
        (UpdatesWithoutDeployment(), SCHEDULED),
    ],
)
def test_only_a_running_suspect_is_looked_into(detector: Told, seen: Facts) -> None:
    """And it stays a suspect whatever it said, so that a verification asks it again."""
    stopped = replace(seen, machines={WEB.id: replace(WEB, power=PowerState.DEALLOCATED)})

    assert detector.probes(seen) == {WEB.id}
    assert detector.probes(looked_into(seen, {WEB.id: a_diagnosis()})) == {WEB.id}
    assert detector.probes(stopped) == frozenset()
    assert detector.probes(facts(machines=[WEB])) == frozenset()


def test_nobody_is_suspected_where_the_log_tells() -> None:
    assert UnexplainedReboots().probes(NAMED) == frozenset()
    assert UnexplainedReboots().probes(A_PERSON) == frozenset()


def test_nothing_that_could_be_read_makes_nobody_suspect() -> None:
    """Where a reading failed, the state is unknown as a whole, and no machine is bothered for it."""
    unread = facts(
        machines=[WEB], unreadable=dict.fromkeys([reading.value for reading in UnexplainedReboots.reads], "503")
    )

    for detector in DETECTORS:
        if isinstance(detector, LooksInside):
            assert detector.probes(unread) == frozenset()


def test_what_the_inside_said_is_the_evidence() -> None:
    (old,) = Kb2267602Missing().detect(looked_into(OLD_DEFINITIONS, {WEB.id: a_diagnosis(sig="F:9d")}))
    (lost,) = InstalledButNotFound().detect(looked_into(SUPERSEDED, {WEB.id: a_diagnosis(updates=["5031364"])}))
    (restart,) = UnexplainedReboots().detect(
        looked_into(NOBODY_NAMED, {WEB.id: a_diagnosis(rbp="W:scheduled", dom="W:joined")})
    )

    assert isinstance(old, Finding)
    assert old.reason == "Defender's signatures are 9 days old, and KB2267602 of 2026-03-02 is still needed"
    assert isinstance(lost, Finding)
    assert lost.reason == "the logs have KB5031990 as installed, and the machine's own list does not"
    assert lost.evidence == {"updates": ["5031990"], "replacedBy": ["5034768"]}
    assert isinstance(restart, Finding)
    assert restart.reason == "a policy of Windows Update restarted it after a run of Weekly, which must never restart"
    assert (restart.evidence["restartPolicy"], restart.evidence["domain"]) == ("scheduled", "joined")


def test_an_unknown_is_no_finding_elsewhere() -> None:
    detections = list(UnexplainedReboots().detect(NOBODY_NAMED))

    assert [type(one) for one in detections] == [Unknown]


UNAPPROVED = facts(
    machines=[WEB],
    rows={
        "updates-available-not-shown": [
            {"Source": "http://wsus01:8530", "KBID": "1", "Title": "One", "Published": "", "Machines": [WEB.id]}
        ]
    },
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (a_diagnosis(wsu="W:set"), "found"),
        # It was a client of a WSUS server when its updates were read, and is none any more.
        (a_diagnosis(wsu="P"), "nothing"),
        (a_diagnosis(wsu="U:broke"), "found"),
        ("it is not running", "found"),
    ],
)
def test_a_machine_that_asks_no_server_any_more_misses_no_approval(inside: Diagnosis | str, expected: str) -> None:
    assert answer(UpdatesAvailableNotShown().detect(looked_into(UNAPPROVED, {WEB.id: inside}))) == expected


FORBIDDEN = "AzureAutomation.HybridAgent: Forbidden: You don't have permission to access / on this server"
NO_CERTIFICATE = (
    "AzureAutomation.HybridAgent: Registration Failed with Exception AgentService.HybridRegistration. "
    "PowerShell.Certificates.CertificateCreationException: Failed to create a self-signed certificate. ---> "
    "System.UnauthorizedAccessException: Access is denied."
)
COLLECTED: list[Document] = [{"EventLog": "Operations Manager"}]


def complaining(said: str) -> Facts:
    rows: dict[str, list[Document]] = {
        "agent-complaints": [a_complaint(WEB, said)],
        "agent-log-collected": COLLECTED,
    }
    return facts(machines=[WEB], rows=rows)


@pytest.mark.parametrize(
    ("said", "inside", "expected"),
    [
        # Fifteen minutes are forgiven.
        (FORBIDDEN, a_diagnosis(clk="F:900s"), "nothing"),
        (FORBIDDEN, a_diagnosis(clk="F:901s"), "found"),
        (FORBIDDEN, a_diagnosis(clk="W:120s"), "nothing"),
        (FORBIDDEN, a_diagnosis(clk="U:noanswer"), "nothing"),
        (FORBIDDEN, "the machine is not running", "nothing"),
        # Five minutes break a sign-in, and nobody complains of it: that is not this state.
        ("AzureAutomation.HybridAgent: something else", a_diagnosis(clk="F:4000s"), "nothing"),
    ],
)
def test_a_clock_that_the_service_refuses_is_looked_at(said: str, inside: Diagnosis | str, expected: str) -> None:
    """In either direction: one that is behind shows in no log."""
    assert answer(ClockSkew().detect(looked_into(complaining(said), {WEB.id: inside}))) == expected


def test_who_is_refused_is_looked_into() -> None:
    assert ClockSkew().probes(complaining(FORBIDDEN)) == {WEB.id}
    assert ClockSkew().probes(complaining(NO_CERTIFICATE)) == frozenset()


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (a_diagnosis(rsa="F:rights"), "found"),
        (a_diagnosis(rsa="F:denied"), "found"),
        # The rights are there: whatever refused did so before, or is something else.
        (a_diagnosis(rsa="P"), "unknown"),
        # What the agent says counts where nobody can look.
        (a_diagnosis(rsa="U:UnauthorizedAccess"), "found"),
        ("the machine is gone", "found"),
    ],
)
def test_the_rights_to_the_machine_keys_are_looked_at(inside: Diagnosis | str, expected: str) -> None:
    seen = looked_into(complaining(NO_CERTIFICATE), {WEB.id: inside})

    assert answer(SelfsignedCertFailure().detect(seen)) == expected
    assert SelfsignedCertFailure().probes(seen) == {WEB.id}
