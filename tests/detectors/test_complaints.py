"""What agents write into their event log tells the failure state of their machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.failed_to_enable_update_solution import FailedToEnableUpdateSolution
from detectors.hybrid_agent_event_4502 import HybridAgentEvent4502
from detectors.machine_cannot_communicate import MachineCannotCommunicate
from detectors.machine_registered_to_different_account import MachineRegisteredToDifferentAccount
from detectors.protocol import Detector
from detectors.selfsigned_cert_failure import SelfsignedCertFailure
from detectors.worker_registration_forbidden import WorkerRegistrationForbidden
from detectors.worker_signalr_timeout import WorkerSignalrTimeout
from model.documents import Document
from model.facts import Facts, Row
from model.findings import Finding
from tests.builders import (
    DAY,
    ELSEWHERE,
    HOUR,
    MINUTE,
    NOW,
    WORKSPACE,
    a_complaint,
    a_machine,
    facts,
    vm,
)
from tests.detectors.answers import answer, found, unknown

WEB = a_machine("web-01")
AGENT = "Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent reported: "
ELSEWHERE_ACCOUNT = AGENT + '{"Message":"Machine is already registered to a different account."}'
NO_ALGORITHM = AGENT + "because they do not possess a common algorithm"
NO_JSON = AGENT + "Newtonsoft.Json.JsonReaderException: Error parsing positive infinity value."
CERTIFICATE = AGENT + "CertificateCreationException: Failed to create a self-signed certificate. ---> Access is denied."
FORBIDDEN = AGENT + "Forbidden: You don't have permission to access / on this server"
NOBODY_KNOWS = AGENT + "Object reference not set to an instance of an object."
SIGNALR = "The SignalR connection timed out"
LOGS: tuple[Document, ...] = (
    {"EventLog": "Operations Manager", "Newest": "2026-03-10T05:00:00Z"},
    {"EventLog": "Microsoft-SMA/Operational", "Newest": "2026-03-10T05:00:00Z"},
)

LISTENERS: list[tuple[Detector, str]] = [
    (MachineRegisteredToDifferentAccount(), ELSEWHERE_ACCOUNT),
    (MachineCannotCommunicate(), NO_ALGORITHM),
    (SelfsignedCertFailure(), CERTIFICATE),
    (WorkerRegistrationForbidden(), FORBIDDEN),
    (HybridAgentEvent4502(), NOBODY_KNOWS),
]
listeners = pytest.mark.parametrize(("detector", "text"), LISTENERS, ids=[row[0].finds.value for row in LISTENERS])


def world(*rows: Row, logs: tuple[Document, ...] = LOGS) -> Facts:
    return facts(machines=[WEB], rows={"agent-complaints": rows, "agent-log-collected": logs})


@listeners
def test_each_text_is_found_by_the_one_detector_that_it_belongs_to(detector: Detector, text: str) -> None:
    """One complaint, one finding: what a state explains is not reported as unclassified beside it."""
    said = {other.finds: found(other.detect(world(a_complaint(WEB, text)))) for other, _ in LISTENERS}

    assert said == {other.finds: [WEB.id] if other is detector else [] for other, _ in LISTENERS}


@listeners
def test_nothing_said_is_nothing_found(detector: Detector, text: str) -> None:
    assert answer(detector.detect(world())) == "nothing"


@listeners
def test_a_log_that_nobody_collects_is_no_clean_bill(detector: Detector, text: str) -> None:
    said = list(detector.detect(world(logs=())))

    assert found(said) == []
    assert "Operations Manager" in unknown(said)[""]


@listeners
@pytest.mark.parametrize("reading", ["agent-complaints", "agent-log-collected", "machines"])
def test_what_was_not_read_makes_the_whole_state_unknown(detector: Detector, text: str, reading: str) -> None:
    read = replace(world(a_complaint(WEB, text)), unreadable=facts(unreadable={reading: "no table"}).unreadable)

    assert list(unknown(detector.detect(read)).items()) == [("", "no table")]


@listeners
def test_machines_outside_azure_go_by_their_name_and_those_that_are_gone_by_nothing(
    detector: Detector, text: str
) -> None:
    far = vm("far", subscription=ELSEWHERE).lower()
    said = detector.detect(
        world(
            a_complaint("name:onprem.contoso.com", text),
            a_complaint(vm("deleted").lower(), text),  # its subscription is read, and has no such machine
            a_complaint(far, text),
            a_complaint("name:", text),
            a_complaint("", text),
        )
    )

    assert found(said) == sorted(["name:onprem.contoso.com", far])


def test_two_texts_of_one_state_are_one_finding_told_by_the_newest() -> None:
    older = a_complaint(WEB, NO_JSON, ago=5 * HOUR, lasting=3 * HOUR, times=40)
    said = MachineCannotCommunicate().detect(world(older, a_complaint(WEB, NO_ALGORITHM, ago=MINUTE, times=2)))

    (finding,) = said
    assert isinstance(finding, Finding)
    assert finding.since == NOW - 8 * HOUR
    assert finding.evidence["cause"] == "no-common-algorithm"
    assert finding.evidence["times"] == 42
    assert finding.evidence["last"] == "2026-03-10T05:59:00Z"


def test_a_machine_may_be_in_two_states_at_once() -> None:
    rows = (a_complaint(WEB, NO_ALGORITHM), a_complaint(WEB, CERTIFICATE))

    assert found(MachineCannotCommunicate().detect(world(*rows))) == [WEB.id]
    assert found(SelfsignedCertFailure().detect(world(*rows))) == [WEB.id]


def test_of_a_text_that_nobody_knows_the_first_500_characters_are_shown() -> None:
    (finding,) = HybridAgentEvent4502().detect(world(a_complaint(WEB, AGENT + "\r\n  why   " + "?" * 5000)))

    assert isinstance(finding, Finding)
    text = str(finding.evidence["text"])
    assert len(text) == 500
    assert text.startswith(AGENT.strip() + " why ???")
    assert finding.evidence["cause"] == "unclassified"


def test_event_15011_is_of_another_log_and_another_state() -> None:
    rows = (a_complaint(WEB, SIGNALR, event=15011),)

    assert found(WorkerSignalrTimeout().detect(world(*rows))) == [WEB.id]
    assert found(HybridAgentEvent4502().detect(world(*rows))) == []
    assert found(WorkerSignalrTimeout().detect(world(a_complaint(WEB, SIGNALR)))) == []
    assert "Microsoft-SMA" in unknown(WorkerSignalrTimeout().detect(world(*rows, logs=LOGS[:1])))[""]


@pytest.mark.parametrize("broken", [{"Text": None}, {"EventID": "4502"}, {"Times": None}, {"First": "?", "Last": None}])
def test_odd_rows_break_nothing(broken: Document) -> None:
    said = list(MachineCannotCommunicate().detect(world({**a_complaint(WEB, NO_ALGORITHM), **broken})))

    assert len(said) <= 1


class TestFailedToEnable:
    """The workspace tells it too, for many machines at once."""

    TEXT = "Error details: Failed to enable the Update solution"

    def world(self, *, operations: tuple[Row, ...] = (), said: tuple[Row, ...] = ()) -> Facts:
        rows = {"operation-complaints": operations, "agent-complaints": said, "agent-log-collected": LOGS}
        return facts(machines=[WEB], rows=rows)

    def row(self, **more: object) -> Document:
        row: Document = {
            "Detail": self.TEXT,
            "Computers": ["web-01", "", "web-02"],
            "First": "2026-03-09T20:00:00Z",
            "Last": "2026-03-10T05:00:00Z",
            "Times": 3,
        }
        return row | {key: value for key, value in more.items() if isinstance(value, str | list)}

    def test_what_the_workspace_says_is_one_finding_on_the_workspace(self) -> None:
        other = self.row(Detail=f"{self.TEXT} again", Computers=["web-03"], First="2026-03-09T10:00:00Z")
        (finding,) = FailedToEnableUpdateSolution().detect(self.world(operations=(self.row(), other)))

        assert isinstance(finding, Finding)
        assert finding.target == WORKSPACE.lower()
        assert finding.since == NOW - DAY + 4 * HOUR
        assert finding.evidence["computers"] == ["web-01", "web-02", "web-03"]
        assert finding.evidence["machines"] == 3

    def test_at_most_fifty_machines_are_listed_and_all_are_counted(self) -> None:
        names = [f"web-{number:03}" for number in range(80)]
        (finding,) = FailedToEnableUpdateSolution().detect(self.world(operations=(self.row(Computers=names),)))

        assert isinstance(finding, Finding)
        assert finding.evidence["computers"] == names[:50]
        assert finding.evidence["machines"] == 80

    def test_an_agent_that_says_it_is_a_finding_on_its_machine(self) -> None:
        said = FailedToEnableUpdateSolution().detect(self.world(said=(a_complaint(WEB, AGENT + self.TEXT),)))

        assert found(said) == [WEB.id]

    def test_other_reports_of_the_workspace_are_not_it(self) -> None:
        said = self.world(operations=(self.row(Detail="The Update solution was enabled with warnings"),))

        assert list(FailedToEnableUpdateSolution().detect(said)) == []

    def test_one_source_that_is_missing_does_not_hide_the_other(self) -> None:
        gap = facts(unreadable={"operation-complaints": "no table Operation"}).unreadable
        said = list(
            FailedToEnableUpdateSolution().detect(
                replace(self.world(said=(a_complaint(WEB, AGENT + self.TEXT),)), unreadable=gap)
            )
        )
        assert found(said) == [WEB.id]
        assert unknown(said) == {WORKSPACE.lower(): "no table Operation"}

        gap = facts(unreadable={"agent-complaints": "no table Event"}).unreadable
        said = list(
            FailedToEnableUpdateSolution().detect(replace(self.world(operations=(self.row(),)), unreadable=gap))
        )
        assert found(said) == [WORKSPACE.lower()]
        assert unknown(said) == {"": "no table Event"}
