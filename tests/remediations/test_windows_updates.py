"""The repairs of Windows Update: what is sent to which machine, when to look again, and what is left to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from detectors.hresults import described
from model.documents import Document, Json
from model.facts import Facts, Machine, PowerState
from model.findings import Finding
from model.plans import Declined, Plan, RunScript
from model.states import FailureState
from remediations.advise_updates import (
    AdviseInstalledButNotFound,
    AdviseMachinesDontInstall,
    AdviseSupersededShownMissing,
    AdviseUpdatesAvailableNotShown,
)
from remediations.protocol import Remediation
from remediations.rescan_updates import RescanUpdates
from remediations.reset_update_store import ResetUpdateStore
from remediations.set_au_options import SetAuOptions
from remediations.set_reboot_policy import SetRebootPolicy
from remediations.start_update_service import StartUpdateService
from remediations.update_signatures import UpdateSignatures
from tests.builders import DAY, HOUR, NOW, a_body, a_finding, a_machine, an_instance_view, facts, update_deployment

WEB = a_machine("web-01")
NEXT = NOW + 3 * DAY
FIXES: tuple[Remediation, ...] = (RescanUpdates(), StartUpdateService(), ResetUpdateStore())
"""As they are registered: the gentlest first."""


def an_error(code: int, *, phase: str = "scan", target: str = WEB.id, name: str = "web-01", **more: Json) -> Finding:
    evidence: Document = {
        **described(code),
        "phase": phase,
        "updates": [],
        "deployments": ["weekly"],
        "server": "",
        "machinesWithThisCode": 14,
    }
    return a_finding(FailureState.UPDATE_AGENT_ERROR, target, name=name, evidence=evidence | more)


def world(
    machine: Machine | None = WEB,
    *,
    bodies: list[Document] | None = None,
    agent: str | None = "ProvisioningState/succeeded",
    without: tuple[str, ...] = (),
    unreadable: dict[str, str] | None = None,
) -> Facts:
    return facts(
        machines=[machine] if machine else [],
        bodies=[a_body(machines=[WEB], next_run=NEXT)] if bodies is None else bodies,
        views=[an_instance_view(machine, agent=agent)] if machine else [],
        without=without,
        unreadable=unreadable,
    )


def planned(finding: Finding, read: Facts) -> list[Plan]:
    return [answer for fix in FIXES if isinstance(answer := fix.plan(finding, read), Plan)]


def advice(finding: Finding, read: Facts) -> Declined:
    """What a person is told: the first remediation's words, where none has a plan."""
    said = [fix.plan(finding, read) for fix in FIXES]
    assert isinstance(said[0], Declined)
    assert not any(isinstance(each, Plan) for each in said)
    return said[0]


def the_script(plan: Plan | Declined) -> RunScript:
    assert isinstance(plan, Plan)
    [step] = plan.steps
    assert isinstance(step, RunScript)
    return step


@pytest.mark.parametrize(
    ("code", "phase", "script", "undo", "looks"),
    [
        (0x8024402C, "scan", "rescan-updates", None, NOW + HOUR),
        (0x80072EE2, "scan", "rescan-updates", None, NOW + HOUR),
        (0x80070422, "scan", "start-update-service", "restore-update-service", NOW + HOUR),
        (0x8024002E, "scan", "start-update-service", "restore-update-service", NOW + HOUR),
        (0x80242006, "scan", "reset-update-store", "restore-update-store", NOW + HOUR),
        # What a run met only the next run can show to be gone.
        (0x8007000D, "install", "reset-update-store", "restore-update-store", NEXT + 7 * HOUR),
        (0x80070422, "install", "start-update-service", "restore-update-service", NEXT + 7 * HOUR),
    ],
)
def test_each_code_has_its_repair(code: int, phase: str, script: str, undo: str | None, looks: datetime) -> None:
    [plan] = planned(an_error(code, phase=phase), world())
    step = the_script(plan)

    assert (step.machine, step.script) == (WEB.arm_id, f"windows/{script}.ps1")
    assert step.undo_script == (f"windows/{undo}.ps1" if undo else None)
    assert plan.settle.due(NOW) == looks


def test_the_same_steps_come_out_for_the_same_machine() -> None:
    """Applying compares the plan with a new one; its step id also names the record on the machine."""
    other = a_machine("web-02")
    [here], [later], [elsewhere] = (
        planned(an_error(0x80242006), world()),
        planned(an_error(0x80242006, machinesWithThisCode=15), replace(world(), now=NOW + HOUR)),
        planned(an_error(0x80242006, target=other.id), world(other)),
    )

    assert here.steps == later.steps
    assert the_script(elsewhere).parameters != the_script(here).parameters


@pytest.mark.parametrize(
    ("code", "phase"),
    [
        (0x80244019, "scan"),  # the server lacks the file: nothing on the machine helps
        (0x80131500, "scan"),  # nobody knows the code
        (0x8024402C, "install"),  # the next run tries again by itself
    ],
)
def test_what_no_script_mends_is_for_a_person_with_code_meaning_machine_and_count(code: int, phase: str) -> None:
    said = advice(an_error(code, phase=phase, updates=["5034768"]), world())
    text = " ".join([said.advice.summary, *said.advice.steps])

    assert str(described(code)["code"]) in text
    assert str(described(code)["meaning"]) in text
    assert "web-01" in text
    assert "14" in text
    assert "KB5034768" in text
    assert "{" not in text


def test_a_server_s_trouble_is_for_its_owner_with_the_machines() -> None:
    machines = [a_machine(f"farm-{n:02}").id for n in range(12)]
    finding = an_error(
        0x80244022, target="name:wsus01", name="wsus01", server="wsus01", machines=[*machines], machineCount=12
    )
    said = advice(finding, world())
    text = " ".join(said.advice.steps)

    assert said.advice.summary.startswith("wsus01: 0x80244022 (WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL)")
    assert "farm-00" in text
    assert "farm-09 and 2 more" in text
    assert "On wsus01, start the IIS pool" in text
    assert FIXES[0].needs(finding, world()) == frozenset()


UNFIT = [
    ("Linux", world(replace(WEB, os="Linux")), "Windows VMs of Azure"),
    ("an Arc machine", world(replace(WEB, is_arc=True)), "Windows VMs of Azure"),
    ("not in the inventory", world(None), "Windows VMs of Azure"),
    ("stopped", world(replace(WEB, power=PowerState.STOPPED)), "it is stopped"),
    ("power unknown", world(replace(WEB, power=PowerState.UNKNOWN)), "it is unknown"),
    ("no guest agent", world(agent=None), "guest agent is not ready"),
    ("deleted meanwhile", world(without=(WEB.id,)), "does not exist any more"),
    ("its view could not be read", world(without=(WEB.id,), unreadable={WEB.id: "429"}), "could not be read: 429"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "why"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
@pytest.mark.parametrize("code", [0x8024402C, 0x80070422, 0x80242006])
def test_a_machine_that_takes_no_script_is_left_to_a_person(code: int, read: Facts, why: str) -> None:
    assert why in advice(an_error(code), read).reason


SCHEDULED = a_finding(
    FailureState.UPDATES_WITHOUT_DEPLOYMENT, WEB.id, name="web-01", evidence={"deployments": ["seen"]}
)
REBOOTED = a_finding(FailureState.UNEXPLAINED_REBOOTS, WEB.id, name="web-01")


class TestSetAuOptions:
    @pytest.mark.parametrize(
        "bodies",
        [
            [a_body(machines=[WEB])],
            # A dynamic deployment that ran on it names no machine.
            [a_body("Seen", scopes=["/subscriptions/11111111-2222-4333-8444-555555555555"])],
            [a_body("Off", machines=[WEB], enabled=False), a_body(machines=[WEB])],
        ],
    )
    def test_a_machine_that_a_deployment_covers_is_set(self, bodies: list[Document]) -> None:
        plan = SetAuOptions().plan(SCHEDULED, world(bodies=bodies))
        step = the_script(plan)

        assert step.script == "windows/set-au-options.ps1"
        assert step.undo_script == "windows/restore-registry.ps1"
        assert step.parameters["Target"] == "auto"
        assert isinstance(plan, Plan)
        # Machines are assessed every twelve hours.
        assert plan.settle.due(NOW) == NOW + 13 * HOUR

    @pytest.mark.parametrize(
        "bodies",
        [
            [],
            [a_body(machines=[WEB], enabled=False)],
            [a_body(machines=[WEB], enabled=None)],
            [a_body(machines=["/somebody/else"])],
            [a_body(machines=[WEB], frequency="OneTime", next_run=NOW - DAY)],
        ],
    )
    def test_a_machine_that_nothing_else_patches_is_left_alone(self, bodies: list[Document]) -> None:
        answer = SetAuOptions().plan(SCHEDULED, world(bodies=bodies))

        assert isinstance(answer, Declined)
        assert "no enabled deployment covers it" in answer.reason
        assert "Add web-01 to a deployment first." in answer.advice.steps

    def test_the_article_s_value_can_be_chosen(self) -> None:
        assert the_script(SetAuOptions(target="3").plan(SCHEDULED, world())).parameters["Target"] == "3"

    def test_deployments_that_could_not_be_read_cover_nothing(self) -> None:
        weekly = update_deployment("Weekly").lower()
        answer = SetAuOptions().plan(SCHEDULED, world(without=(weekly,), unreadable={weekly: "429"}))

        assert isinstance(answer, Declined)
        assert "429" in answer.reason

    def test_it_needs_the_machine_and_its_deployments(self) -> None:
        assert SetAuOptions().needs(SCHEDULED, world()) == {WEB.id, update_deployment("Weekly").lower()}


class TestSetRebootPolicy:
    def test_the_policy_is_set_and_looked_at_when_the_restart_has_left_the_log(self) -> None:
        plan = SetRebootPolicy().plan(REBOOTED, world())
        step = the_script(plan)

        assert (step.script, step.undo_script) == ("windows/set-reboot-policy.ps1", "windows/restore-registry.ps1")
        assert isinstance(plan, Plan)
        assert plan.settle.due(NOW) > NOW + 2 * DAY

    def test_its_record_is_another_than_that_of_the_schedule(self) -> None:
        one = the_script(SetRebootPolicy().plan(REBOOTED, world()))
        other = the_script(SetAuOptions().plan(SCHEDULED, world()))

        assert one.parameters["StepId"] != other.parameters["StepId"]


@pytest.mark.parametrize(("read", "why"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
@pytest.mark.parametrize(("fix", "finding"), [(SetAuOptions(), SCHEDULED), (SetRebootPolicy(), REBOOTED)])
def test_a_setting_is_left_to_a_person_where_no_script_can_be_sent(
    fix: Remediation, finding: Finding, read: Facts, why: str
) -> None:
    answer = fix.plan(finding, read)

    assert isinstance(answer, Declined)
    assert why in answer.reason
    assert any("AUOptions" in step for step in answer.advice.steps)


def said_about(remediation: Remediation, name: str, **evidence: Json) -> str:
    finding = a_finding(remediation.fixes, f"name:{name}", name=name, evidence=evidence)
    answer = remediation.plan(finding, facts())
    assert isinstance(answer, Declined)
    assert remediation.permissions == frozenset()
    return "\n".join([answer.advice.summary, *answer.advice.steps])


def test_the_owner_of_a_wsus_server_is_told_what_to_approve() -> None:
    update: Json = {"kb": "5034768", "title": "T", "ageInDays": 60, "machines": 14}
    text = said_about(
        AdviseUpdatesAvailableNotShown(), "wsus01", server="wsus01", updates=[update], machines=[WEB.id], machineCount=1
    )

    assert "KB5034768 (T): 14 machines need it, published 60 days ago." in text
    assert "web-01" in text


def test_the_owner_of_a_wsus_server_is_told_what_to_decline() -> None:
    text = said_about(
        AdviseSupersededShownMissing(), "wsus01",
        server="wsus01", updates=["5033371"], supersededBy=["5034768"], machines=[WEB.id],
    )  # fmt: skip

    assert "On wsus01, decline KB5033371." in text
    assert "KB5034768" in text
    assert "web-01" in text


def test_a_machine_that_does_not_install_is_looked_at_by_hand_and_its_agent_is_retired() -> None:
    text = said_about(AdviseMachinesDontInstall(), "web-01", updates=["5034768"])

    assert "Install KB5034768 on web-01 by hand" in text
    assert "retired on 31 August 2024" in text


def test_what_is_no_fault_is_explained_for_this_machine() -> None:
    assert "web-01" in said_about(AdviseInstalledButNotFound(), "web-01", updates=["5033371"])


def test_old_definitions_are_fetched_anew_or_a_person_is_told_the_command() -> None:
    old = a_finding(FailureState.KB2267602_MISSING, WEB.id, name="web-01")

    plan, said = UpdateSignatures().plan(old, world()), UpdateSignatures().plan(old, world(agent=None))

    assert isinstance(plan, Plan)
    assert the_script(plan).script == "windows/update-signatures.ps1"
    assert isinstance(said, Declined)
    assert any("Update-MpSignature" in step and "web-01" in step for step in said.advice.steps)


def test_scripts_may_take_long() -> None:
    """A first scan of a large catalogue does."""
    assert the_script(planned(an_error(0x8024402C), world())[0]).time_out >= timedelta(minutes=20)
