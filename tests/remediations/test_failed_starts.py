"""What is done about machines that fail to start, and what is left to a person."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.deployments import same_deployment
from model.documents import Document, Json, list_at
from model.facts import Facts, Machine, PowerState
from model.findings import Finding
from model.plans import AwaitIdentity, Declined, Plan, PutDeployment, RunScript, StartMachine
from model.states import FailureState, Impact
from model.times import format_time
from remediations.advise_failed_starts import AdviseJobLimit
from remediations.remove_deleted_machine import RemoveDeletedMachine
from remediations.replace_moved_machine import ReplaceMovedMachine
from remediations.reregister_worker import ReregisterWorker
from remediations.restart_unreachable_worker import RestartUnreachableWorker
from remediations.start_stopped_machine import StartStoppedMachine
from tests.builders import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    WORKSPACE_GUID,
    a_body,
    a_finding,
    a_machine,
    an_instance_view,
    facts,
    update_deployment,
    vm,
)
from tests.remediations.bodies import bodies

SQL = a_machine("sql-01", group="RG-Data")
OTHERS = [vm("web-01"), vm("web-02")]
OTHER_VM = "0b1e2d3c-0000-4000-8000-00000000000f"
MACHINES = "properties.updateConfiguration.azureVirtualMachines"


class TestRemoveDeletedMachine:
    finding = a_finding(FailureState.VM_DELETED, SQL.id, name="sql-01")

    def planned(self, facts_: Facts) -> Plan | Declined:
        return RemoveDeletedMachine().plan(self.finding, facts_)

    def why_not(self, facts_: Facts) -> str:
        answer = self.planned(facts_)
        assert isinstance(answer, Declined)
        return answer.reason

    def test_it_is_taken_out_of_every_deployment_that_names_it(self) -> None:
        mixed = a_body("Monthly", machines=[SQL.arm_id.upper(), OTHERS[0]])
        plan = self.planned(facts(bodies=[a_body(machines=[OTHERS[0], SQL, OTHERS[1]]), mixed, a_body("Not")]))
        assert isinstance(plan, Plan)
        steps = [step for step in plan.steps if isinstance(step, PutDeployment)]
        assert len(steps) == len(plan.steps) == 2
        assert {step.deployment: list_at(step.after, MACHINES) for step in steps} == {
            update_deployment("Weekly"): OTHERS,
            update_deployment("Monthly"): OTHERS[:1],
        }
        assert plan.impact is Impact.REVERSIBLE

    @pytest.mark.parametrize("over", [{"enabled": False}, {"frequency": "OneTime", "next_run": NOW - DAY}])
    def test_a_deployment_that_is_over_is_left_as_it_is(self, over: dict[str, Any]) -> None:
        plan = self.planned(facts(bodies=[a_body(machines=[SQL, *OTHERS]), a_body("Old", machines=[SQL], **over)]))
        assert isinstance(plan, Plan)
        assert [step.deployment for step in plan.steps if isinstance(step, PutDeployment)] == [
            update_deployment("Weekly")
        ]

    def test_a_deployment_is_not_emptied_but_its_deletion_advised(self) -> None:
        answer = self.planned(facts(bodies=[a_body(machines=[SQL]), a_body("Monthly", machines=[SQL, *OTHERS])]))
        assert isinstance(answer, Declined)
        assert "Weekly names nothing else" in answer.reason
        assert answer.advice.steps == ("Delete the deployment Weekly: it patches nothing any more.",)

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ({"next_run": NOW + 14 * MINUTE}, "only 14 min away"),
            ({"state": "Failed"}, "provisioningState is Failed"),
        ],
    )
    def test_what_may_not_be_edited_is_left_alone(self, body: dict[str, Any], why: str) -> None:
        assert why in self.why_not(facts(bodies=[a_body(machines=[SQL, *OTHERS], **body)]))

    def test_where_nobody_names_it_there_is_nothing_to_do(self) -> None:
        assert "no deployment" in self.why_not(facts(bodies=[a_body(machines=OTHERS)]))

    @given(bodies(with_machine=SQL.arm_id))
    def test_nothing_else_in_a_deployment_changes_and_undoing_restores_it(self, body: Document) -> None:
        plan = self.planned(facts(bodies=[body]))
        assert isinstance(plan, Plan)
        (step,) = plan.steps
        assert isinstance(step, PutDeployment)
        kept: list[Json] = [one for one in list_at(body, MACHINES) if str(one).lower() != SQL.id]
        properties = step.after["properties"]
        assert isinstance(properties, dict)
        configuration = properties["updateConfiguration"]
        assert isinstance(configuration, dict)
        assert configuration["azureVirtualMachines"] == kept
        configuration["azureVirtualMachines"] = list_at(body, MACHINES)
        schedule = properties["scheduleInfo"]
        was = step.before["properties"]
        assert isinstance(schedule, dict)
        assert isinstance(was, dict)
        then = was["scheduleInfo"]
        assert isinstance(then, dict)
        schedule["startTime"] = then["startTime"]
        assert same_deployment(step.before, step.after) is None


class TestReplaceMovedMachine:
    there = a_machine("sql-01", group="rg-new", vm_id=SQL.vm_id)
    finding = a_finding(
        FailureState.VM_MOVED, SQL.id, name="sql-01", evidence={"movedTo": there.arm_id, "vmId": SQL.vm_id}
    )

    def planned(self, *listed: Document, machine: Machine | None = None) -> Plan | Declined:
        return ReplaceMovedMachine().plan(self.finding, facts(machines=[machine or self.there], bodies=listed))

    def saved(self, *listed: Document) -> dict[str, list[Json]]:
        plan = self.planned(*listed)
        assert isinstance(plan, Plan)
        return {
            step.deployment.rsplit("/", 1)[-1]: list_at(step.after, MACHINES)
            for step in plan.steps
            if isinstance(step, PutDeployment)
        }

    def test_every_deployment_names_it_where_it_is_now_at_the_same_place(self) -> None:
        monthly = a_body("Monthly", machines=[SQL.arm_id.upper()])
        assert self.saved(a_body(machines=[OTHERS[0], SQL, OTHERS[1]]), monthly, a_body("Not")) == {
            "Weekly": [OTHERS[0], self.there.arm_id, OTHERS[1]],
            "Monthly": [self.there.arm_id],
        }

    def test_a_deployment_never_names_it_twice(self) -> None:
        """Somebody has added its new id already; or the old one stood there in two spellings."""
        added = a_body(machines=[self.there.arm_id.upper(), SQL])
        assert self.saved(added, a_body("Twice", machines=[SQL, SQL.arm_id.upper()])) == {
            "Weekly": [self.there.arm_id.upper()],
            "Twice": [self.there.arm_id],
        }

    def test_a_deployment_that_is_over_is_left_as_it_is(self) -> None:
        assert self.saved(a_body(machines=[SQL]), a_body("Old", machines=[SQL], enabled=False)).keys() == {"Weekly"}

    @pytest.mark.parametrize(
        "machine", [replace(there, is_arc=True), replace(there, vm_id=OTHER_VM), replace(there, id=there.id + "x")]
    )
    def test_what_is_not_that_vm_is_not_named(self, machine: Machine) -> None:
        answer = self.planned(a_body(machines=[SQL]), machine=machine)
        assert isinstance(answer, Declined)
        assert answer.advice.steps[0] == (
            f"In Weekly, remove {SQL.id}, add {self.there.arm_id}, and save, at least 15 minutes before the next run."
        )

    def test_the_other_byte_order_is_the_same_vm(self) -> None:
        turned = str(uuid.UUID(bytes=uuid.UUID(SQL.vm_id).bytes_le))
        assert isinstance(self.planned(a_body(machines=[SQL]), machine=replace(self.there, vm_id=turned)), Plan)

    @pytest.mark.parametrize("over", [{"next_run": NOW + 14 * MINUTE}, {"state": "Failed"}])
    def test_what_may_not_be_edited_is_left_alone(self, over: dict[str, Any]) -> None:
        assert isinstance(self.planned(a_body(machines=[SQL], **over)), Declined)


class TestStartStoppedMachine:
    def finding(self, next_run: datetime | None) -> Finding:
        text = format_time(next_run) if next_run else None
        return a_finding(FailureState.VM_STOPPED, SQL.id, name="sql-01", evidence={"nextRun": text})

    def planned(self, *, next_run: datetime | None = NOW + 15 * HOUR, **machine: Any) -> Plan | Declined:
        off = replace(SQL, **{"power": PowerState.DEALLOCATED, "tags": {"Patchwright-Start": "true"}, **machine})
        return StartStoppedMachine().plan(self.finding(next_run), facts(machines=[off]))

    def test_a_tagged_machine_is_started_before_its_next_run(self) -> None:
        plan = self.planned()
        assert isinstance(plan, Plan)
        assert plan.steps == (StartMachine(machine=SQL.arm_id, power_before="deallocated"),)
        assert plan.impact is Impact.DISRUPTIVE

    # 24 hours ahead is the sweep of the night before; a minute more is not.
    @pytest.mark.parametrize(("ahead", "kind"), [(24 * HOUR, Plan), (24 * HOUR + MINUTE, Declined)])
    def test_it_is_not_started_to_idle_for_days(self, ahead: Any, kind: type) -> None:
        assert isinstance(self.planned(next_run=NOW + ahead), kind)

    @pytest.mark.parametrize("tags", [{}, {"patchwright-start": "false"}, {"patchwright-start": " False "}, {"x": "y"}])
    def test_without_its_owners_tag_a_person_is_told_how(self, tags: dict[str, str]) -> None:
        answer = self.planned(tags=tags)
        assert isinstance(answer, Declined)
        assert "not tagged patchwright-start" in answer.reason
        assert f"az vm start --ids {SQL.arm_id}" in answer.advice.steps[0]

    @pytest.mark.parametrize(
        "case",
        [{"power": PowerState.RUNNING}, {"power": PowerState.STARTING}, {"is_arc": True}, {"next_run": None},
         {"next_run": NOW}],
    )  # fmt: skip
    def test_where_there_is_nothing_to_start_or_nothing_to_start_for(self, case: dict[str, Any]) -> None:
        assert isinstance(self.planned(**case), Declined)


class TestReregisterWorker:
    finding = a_finding(
        FailureState.WORKER_GROUP_PURGED, SQL.id, name="sql-01",
        evidence={"sourceComputerId": "old-agent", "computer": "sql-01.contoso.com"},
    )  # fmt: skip

    def planned(self, machine: Machine = SQL) -> Plan | Declined:
        return ReregisterWorker().plan(self.finding, facts(machines=[machine], views=[an_instance_view(machine)]))

    def test_the_key_is_removed_and_the_new_identity_awaited(self) -> None:
        plan = self.planned()
        assert isinstance(plan, Plan)
        script, wait = plan.steps
        assert isinstance(script, RunScript)
        assert script.script == "windows/reset-worker-key.ps1"
        assert script.undo_script == "windows/restore-worker-key.ps1"
        assert isinstance(wait, AwaitIdentity)
        assert wait.not_source_computer_id == "old-agent"
        assert (plan.remediation, plan.group) == ("reregister-worker", "")

    def test_what_cannot_be_reset_by_run_command_is_for_a_person(self) -> None:
        answer = self.planned(replace(SQL, os="Linux"))
        assert isinstance(answer, Declined)
        assert answer.remediation == "reregister-worker"
        assert "Windows VMs" in answer.reason


class TestRestartUnreachableWorker:
    finding = a_finding(FailureState.WORKER_UNREACHABLE, SQL.id, name="sql-01", evidence={"lastSeen": "then"})

    def planned(self, machine: Machine) -> Plan | Declined:
        return RestartUnreachableWorker().plan(
            self.finding, facts(machines=[machine], views=[an_instance_view(machine)])
        )

    @pytest.mark.parametrize(
        ("os", "script"), [("Windows", "windows/restart-agent.ps1"), ("Linux", "linux/restart-agent.sh")]
    )
    def test_the_agent_is_restarted_in_its_systems_own_way(self, os: str, script: str) -> None:
        plan = self.planned(replace(SQL, os=os))
        assert isinstance(plan, Plan)
        (step,) = plan.steps
        assert isinstance(step, RunScript)
        assert (step.script, plan.remediation) == (script, "restart-unreachable-worker")

    @pytest.mark.parametrize(("os", "log"), [("Windows", "event 4502"), ("Linux", "worker.log")])
    def test_where_no_script_can_be_sent_a_person_is_told_what_to_do_and_where_to_look(self, os: str, log: str) -> None:
        answer = self.planned(replace(SQL, os=os, power=PowerState.UNKNOWN))
        assert isinstance(answer, Declined)
        assert answer.remediation == "restart-unreachable-worker"
        assert any(log in step for step in answer.advice.steps)
        assert f"{WORKSPACE_GUID}.agentsvc.azure-automation.net" in answer.advice.steps[-1]


class TestAdvice:
    def test_deployments_that_begin_together_are_named_with_their_jobs(self) -> None:
        evidence: Document = {
            "limit": 50, "jobs": 61, "machineCount": 3, "deployments": ["Weekly"],
            "runs": [{"run": "run-1", "start": "2026-03-06T06:00:00Z", "jobs": 61}],
        }  # fmt: skip
        finding = a_finding(FailureState.JOB_LIMIT_REACHED, ACCOUNT.lower(), name="aa", evidence=evidence)
        answer = AdviseJobLimit().plan(finding, facts(bodies=[a_body(machines=OTHERS)]))
        assert "61 jobs of at most 50 at 2026-03-06T06:00:00Z; 3 machines" in answer.reason
        # One for the deployment and one for each machine.
        assert "Weekly (3 jobs)" in answer.advice.steps[0]

    @given(st.dictionaries(st.sampled_from(["runs", "deployments", "movedTo", "lastSeen"]),
                           st.none() | st.integers() | st.lists(st.integers() | st.none())))  # fmt: skip
    def test_odd_evidence_breaks_no_advice(self, evidence: dict[str, Json]) -> None:
        for remediation in (ReplaceMovedMachine(), AdviseJobLimit()):
            finding = a_finding(remediation.fixes, SQL.id, evidence=evidence)
            assert isinstance(remediation.plan(finding, facts()), Declined)
