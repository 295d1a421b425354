"""What machines seem to suffer from while something else has to be mended first: told as unknown, and why."""

from __future__ import annotations

import pytest

from detectors.clock_skew import ClockSkew
from detectors.cloned_machine import ClonedMachine
from detectors.duplicate_computer_name import DuplicateComputerName
from detectors.not_assessed import NotAssessed
from detectors.protocol import Detector
from detectors.registration_blocked import RegistrationBlocked
from engine.surveyor import CAUSES
from model.facts import LogWorkspace, Row
from model.states import FailureState
from tests.builders import ACCOUNT, HOUR, NOW, WORKSPACE, a_complaint, a_machine, a_workspace, facts
from tests.detectors.answers import found, unknown
from tests.detectors.test_not_in_portal import WEB, an_unassessed, view
from tests.detectors.test_queries import stamp
from tests.detectors.test_registration_blocked import a_row

OTHER = WORKSPACE.lower().replace("/law", "/other")
UNWELL = {
    "MachineId": WEB.id,
    "VmId": WEB.vm_id,
    "Computer": "web-01",
    "Phase": "scan",
    "Text": "Exception from HRESULT: 0x80244022",
    "Seen": stamp(NOW - HOUR),
    "Source": "wsus.contoso.com",
    "Clients": 400,
}
"""A row of `update-agent-error.kql`; of so many clients it is one finding, on their server."""


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, None),
        ({"update-agent-error": [UNWELL]}, "an update agent that can assess: it ends with an error of its own"),
        # An update that does not install says nothing of the scan.
        ({"update-agent-error": [{**UNWELL, "Phase": "install"}]}, None),
        (
            {"agent-complaints": [a_complaint(WEB, "AzureAutomation.HybridAgent: Machine is already registered")]},
            (
                "a worker that could assess it: its agent says that another Automation account holds a worker for this "
                "machine"
            ),
        ),
        # Nobody knows what that means, so that it explains nothing.
        ({"agent-complaints": [a_complaint(WEB, "AzureAutomation.HybridAgent: it is Tuesday")]}, None),
    ],
)
def test_a_machine_that_cannot_assess_itself_is_not_found_for_that(more: dict[str, list[Row]], why: str | None) -> None:
    facts_ = facts(
        machines=[WEB],
        views=[view(WEB)],
        workspace=a_workspace(),
        rows={"not-assessed": [an_unassessed()], "ingestion-status": [], **more},
    )
    said = list(NotAssessed().detect(facts_))

    assert found(said) == ([] if why else [WEB.id])
    assert unknown(said) == ({WEB.id: why} if why else {})


@pytest.mark.parametrize(
    ("workspace", "cause"),
    [
        (a_workspace(ingestion="overquota"), "workspace-over-quota"),
        (a_workspace(account_links_to=OTHER), "workspace-not-linked"),
        (a_workspace(pack=False), "updates-solution-missing"),
    ],
)
def test_no_worker_registers_while_the_workspace_is_unwell(workspace: LogWorkspace, cause: str) -> None:
    facts_ = facts(machines=[WEB], workspace=workspace, rows={"registration-blocked": [a_row()]})
    (doubt,) = unknown(RegistrationBlocked().detect(facts_)).values()

    assert cause in doubt
    assert len(found(RegistrationBlocked().detect(facts(
        machines=[WEB], workspace=a_workspace(account_links_to=WORKSPACE.lower(), linked_account=ACCOUNT.lower()),
        rows={"registration-blocked": [a_row()]},
    )))) == 1  # fmt: skip


@pytest.mark.parametrize("detector", [ClonedMachine(), DuplicateComputerName(), ClockSkew()],
                         ids=lambda one: one.finds.value)  # fmt: skip
def test_what_only_fresh_beats_show_is_unknown_while_no_beat_comes_in(detector: Detector) -> None:
    """That none of the last hour is there would look like health."""
    rows = dict.fromkeys(detector.queries, ())
    silent = facts(machines=[a_machine()], workspace=a_workspace(ingestion="overquota"), rows=rows)
    well = facts(machines=[a_machine()], workspace=a_workspace(), rows=rows)
    unread = facts(machines=[a_machine()], rows=rows)

    assert [*unknown(detector.detect(silent))] == [""]
    assert not unknown(detector.detect(well))
    assert not unknown(detector.detect(unread))


def test_no_state_explains_itself_not_even_by_way_of_others() -> None:
    def causes(state: FailureState, seen: tuple[FailureState, ...] = ()) -> None:
        assert state not in seen, " <- ".join(each.value for each in (*seen, state))
        for cause in CAUSES.get(state, {}):
            causes(cause, (*seen, state))

    for state in CAUSES:
        causes(state)
