"""S1: restarting agents, the scope, the daily cap, and what is left to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.documents import Document, Json, differences, text_at
from model.facts import Machine, PowerState, SavedSearch
from model.findings import Finding
from model.plans import Declined, Plan, PutSavedSearch, RunScript, SetDailyQuota
from model.resource_ids import vm_ids
from model.scope_queries import ScopeQuery
from model.states import FailureState
from remediations.add_to_scope import AddToScope
from remediations.advise_workspace import AdviseUpdatesSolutionMissing, AdviseWorkspaceNotLinked, AdviseWrongWorkspace
from remediations.raise_daily_cap import RaiseDailyCap
from remediations.restart_agent import RestartAgentToAssess, RestartSilentAgent
from tests.builders import (
    ACCOUNT,
    SUBSCRIPTION,
    WORKSPACE,
    a_finding,
    a_machine,
    a_saved_search,
    a_workspace,
    an_instance_view,
    facts,
    guid,
    swapped,
)

WEB, API = a_machine("web-01"), a_machine("api-01", os="Linux")
ARC = a_machine("arc-01", is_arc=True)
RETIREMENT = "retired on 31 August 2024"


def about(state: FailureState, machine: Machine | None = None, **evidence: Json) -> Finding:
    if machine is None:
        return a_finding(state, WORKSPACE.lower(), name="law", evidence=evidence)
    return a_finding(state, machine.id, name=machine.name, evidence=evidence)


def told(said: Plan | Declined) -> str:
    """Everything that a person reads of a refusal."""
    assert isinstance(said, Declined)
    return "\n".join((said.advice.summary, *said.advice.steps))


class TestRestart:
    @pytest.mark.parametrize(
        ("machine", "script"), [(WEB, "windows/restart-agent.ps1"), (API, "linux/restart-agent.sh")]
    )
    @pytest.mark.parametrize(
        ("remediation", "state"),
        [
            (RestartSilentAgent(), FailureState.NO_HEARTBEAT),
            (RestartAgentToAssess(), FailureState.NOT_ASSESSED),
        ],
    )
    def test_the_agent_s_own_script_is_sent_to_the_machine(
        self,
        remediation: RestartSilentAgent | RestartAgentToAssess,
        state: FailureState,
        machine: Machine,
        script: str,
    ) -> None:
        finding = about(state, machine)
        world = facts(machines=[machine], views=[an_instance_view(machine)])
        plan = remediation.plan(finding, world)

        assert isinstance(plan, Plan)
        (step,) = plan.steps
        assert isinstance(step, RunScript)
        assert (step.machine, step.script) == (machine.arm_id, script)
        # Nothing of the moment is in it, so that the same plan is made a minute later.
        assert remediation.plan(finding, replace(world, now=world.now + timedelta(minutes=9))) == plan

    def test_it_is_waited_for_as_long_as_it_may_take_to_show(self) -> None:
        world = facts(machines=[WEB, API], views=[an_instance_view(WEB), an_instance_view(API)])
        waits = [
            cast("Plan", RestartSilentAgent().plan(about(FailureState.NO_HEARTBEAT, WEB), world)).settle.after,
            cast("Plan", RestartAgentToAssess().plan(about(FailureState.NOT_ASSESSED, WEB), world)).settle.after,
            cast("Plan", RestartAgentToAssess().plan(about(FailureState.NOT_ASSESSED, API), world)).settle.after,
        ]

        assert waits == [timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6)]

    @pytest.mark.parametrize(
        ("machine", "views", "why"),
        [
            (replace(WEB, power=PowerState.DEALLOCATED), [an_instance_view(WEB)], "deallocated"),
            (WEB, [an_instance_view(WEB, agent="ProvisioningState/Unavailable")], "guest agent is not ready"),
            (WEB, [], "does not exist any more"),
            (ARC, [], "virtual machines of Azure only"),
        ],
    )
    def test_where_no_script_can_be_sent_a_person_is_told_the_command(
        self, machine: Machine, views: list[Document], why: str
    ) -> None:
        said = told(
            RestartSilentAgent().plan(about(FailureState.NO_HEARTBEAT, machine), facts(machines=[machine], views=views))
        )

        assert why in said
        assert f"On {machine.name}, as an administrator: Restart-Service -Name HealthService" in said
        assert RETIREMENT in said

    def test_on_linux_the_command_is_the_agent_s_own(self) -> None:
        stopped = replace(API, power=PowerState.STOPPED)
        said = told(RestartSilentAgent().plan(about(FailureState.NO_HEARTBEAT, API), facts(machines=[stopped])))

        assert "/opt/microsoft/omsagent/bin/service_control restart" in said


def a_scope(*ids: str) -> SavedSearch:
    listed = ", ".join(f'"{id_}"' for id_ in ids) or '""'
    return a_saved_search(f'Heartbeat | where Computer in~ ("") or VMUUID in~ ({listed}) | distinct Computer')


guids = st.uuids().map(str)


class TestScope:
    def put(self, search: SavedSearch, vm_id: str) -> PutSavedSearch:
        plan = AddToScope().plan(
            about(FailureState.SCOPE_EXCLUDED, WEB, vmUuid=vm_id), facts(machines=[WEB], searches=[search])
        )
        assert isinstance(plan, Plan)
        (step,) = plan.steps
        assert isinstance(step, PutSavedSearch)
        return step

    @given(listed=st.lists(guids, max_size=5), added=guids)
    def test_one_id_more_is_selected_and_nobody_less(self, listed: list[str], added: str) -> None:
        search = a_scope(*listed)
        step = self.put(search, added)
        after = ScopeQuery(search=search, text=text_at(step.after, "properties.query"))

        assert step.before == search.document
        assert [change.field for change in differences(step.before, step.after)] == ["properties.query"]
        assert after.is_plain
        assert all(after.selects(id_, "nobody") for id_ in [*listed, added])
        assert not after.selects(guid("a third"), "nobody") or guid("a third") in {*listed, added}

    def test_the_id_is_spelled_as_the_agent_spells_it(self) -> None:
        """The query is asked of heartbeats, and some distributions swap the bytes of the VM's id."""
        spelled = swapped(WEB.vm_id).upper()

        query = text_at(self.put(a_scope(), spelled).after, "properties.query")

        assert query == f'Heartbeat | where Computer in~ ("") or VMUUID in~ ("{spelled}") | distinct Computer'

    def test_machines_of_one_scope_go_one_after_the_other(self) -> None:
        """The second edit is made from what the first one left."""
        search = a_scope()
        plans = [
            AddToScope().plan(
                about(FailureState.SCOPE_EXCLUDED, machine, vmUuid=machine.vm_id), facts(searches=[search])
            )
            for machine in (WEB, API)
        ]

        assert len({plan.group for plan in plans if isinstance(plan, Plan)} - {""}) == 1

    @pytest.mark.parametrize("vm_id", ["", "web-01", '") or ("1" == "1', "00000000"])
    def test_nothing_but_a_vm_id_gets_into_a_query(self, vm_id: str) -> None:
        said = AddToScope().plan(about(FailureState.SCOPE_EXCLUDED, WEB, vmUuid=vm_id), facts(searches=[a_scope()]))

        assert not vm_ids(vm_id)
        assert "which VM it is" in told(said)

    def test_a_query_without_a_list_is_left_to_a_person(self) -> None:
        search = a_saved_search('Heartbeat | where Computer in~ ("a") | distinct Computer')
        said = AddToScope().plan(about(FailureState.SCOPE_EXCLUDED, WEB, vmUuid=WEB.vm_id), facts(searches=[search]))

        assert f'Add "{WEB.vm_id}" (its VM id) to the saved search MicrosoftDefaultComputerGroup' in told(said)


def cap(quota: float | None, *, status: str = "overquota", sku: str = "PerGB2018") -> Plan | Declined:
    world = facts(workspace=a_workspace(ingestion=status, quota=quota, sku=sku))
    finding = about(
        FailureState.WORKSPACE_OVER_QUOTA, dataIngestionStatus=status, quotaNextResetTime="2026-03-10T16:00:00Z"
    )
    return RaiseDailyCap(step_gb=1.5, ceiling_gb=5).plan(finding, world)


class TestCap:
    @pytest.mark.parametrize(("before", "after"), [(0.5, 2.0), (3.0, 4.5), (3.5, 5.0), (4.9, 5.0)])
    def test_it_is_raised_by_a_step_and_not_above_the_ceiling(self, before: float, after: float) -> None:
        plan = cap(before)

        assert isinstance(plan, Plan)
        assert plan.steps == (SetDailyQuota(workspace=WORKSPACE, gb_before=before, gb_after=after),)

    @given(st.floats(-2, 1000) | st.none())
    def test_it_is_never_taken_away_and_never_lowered(self, quota: float | None) -> None:
        match cap(quota):
            case Plan(steps=(SetDailyQuota(gb_before=before, gb_after=after),)):
                assert 0 < before < after <= 5
            case Declined():
                assert quota is None or quota <= 0 or quota >= 5
            case other:
                raise AssertionError(other)

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            (cap(5.0), ["5 GB already", "summarize GB = sum(Quantity)", "2026-03-10T16:00:00Z"]),
            (cap(-1.0), ["no daily cap"]),
            (cap(0.5, sku="Free"), ["500 MB a day", "--set sku.name=PerGB2018", WORKSPACE]),
            (cap(1.0, status="subscriptionsuspended"), ["billing"]),
            (cap(1.0, status="forceoff"), ["support request for law"]),
        ],
    )
    def test_what_no_cap_can_mend_is_told_with_what_can(self, said: Plan | Declined, words: list[str]) -> None:
        text = told(said)

        assert [word for word in words if word not in text] == []


class TestAdvice:
    def test_an_account_without_a_workspace_is_told_the_command(self) -> None:
        world = facts(workspace=a_workspace(account_links_to="", linked_account=""))
        said = told(AdviseWorkspaceNotLinked().plan(about(FailureState.WORKSPACE_NOT_LINKED), world))

        assert (
            f"linked-service create --subscription {SUBSCRIPTION} --resource-group rg-ops --workspace-name law "
            f"--name Automation --resource-id {ACCOUNT.lower()}"
        ) in said
        assert "unlink" not in said

    def test_one_that_is_linked_elsewhere_is_told_both_ways(self) -> None:
        other = WORKSPACE.lower().replace("/law", "/other")
        finding = about(FailureState.WORKSPACE_NOT_LINKED, accountLinksTo=other, workspaceLinksTo=f"{ACCOUNT.lower()}2")
        said = told(AdviseWorkspaceNotLinked().plan(finding, facts(workspace=a_workspace())))

        assert "set PATCHWRIGHT_WORKSPACES to it" in said
        assert "set PATCHWRIGHT_AUTOMATION_ACCOUNTS to it" in said
        assert "linked-service delete" in said
        assert "--workspace-name other" in said

    @pytest.mark.parametrize(
        ("solution", "command"), [(False, "solution create --solution-type Updates"), (True, "pack enable")]
    )
    def test_a_missing_solution_is_first_said_to_be_retired(self, *, solution: bool, command: str) -> None:
        finding = about(FailureState.UPDATES_SOLUTION_MISSING, solution=solution, machineCount=14)
        said = told(AdviseUpdatesSolutionMissing().plan(finding, facts(workspace=a_workspace(solution=solution))))

        assert RETIREMENT in said.splitlines()[0]
        assert "Move its 14 machines to Azure Update Manager" in said.splitlines()[1]
        assert command in said.splitlines()[2]

    @pytest.mark.parametrize(
        ("machine", "command"),
        [
            (WEB, f"az vm extension delete --vm-name web-01 --subscription {SUBSCRIPTION} --resource-group rg-web"),
            (ARC, "az connectedmachine extension delete --machine-name arc-01"),
        ],
    )
    def test_an_agent_elsewhere_is_named_with_where_and_how(self, machine: Machine, command: str) -> None:
        finding = about(
            FailureState.WRONG_WORKSPACE,
            machine,
            workspaceIds=["other-guid"],
            workspaceIdExpected="our-guid",
            extensions=["MicrosoftMonitoringAgent"],
        )
        said = told(AdviseWrongWorkspace().plan(finding, facts(machines=[machine])))

        # The retirement stands before every word of taking away or installing.
        assert said.index(RETIREMENT) < said.index(command)
        assert "reports to other-guid" in said
        assert "--name MicrosoftMonitoringAgent" in said
