"""A silent agent: restarted first, then with a new cache, then a person's to register anew."""

from __future__ import annotations

import pytest

from model.facts import Machine, PowerState
from model.plans import Declined, Plan, RunScript
from model.states import FailureState
from remediations import remediations
from remediations.clear_agent_cache import AdviseSilentAgent, ClearAgentCache
from remediations.enable_agent import EnableAgent
from remediations.restart_agent import RestartSilentAgent
from tests.builders import HOUR, a_finding, a_machine, an_instance_view, facts

WEB, LINUX = a_machine("web-01"), a_machine("lin-01", os="Linux")


def answer(machine: Machine, *, agent: str | None = "ProvisioningState/succeeded") -> Plan | Declined:
    finding = a_finding(FailureState.NO_HEARTBEAT, machine.id, name=machine.name)
    return ClearAgentCache().plan(finding, facts(machines=[machine], views=[an_instance_view(machine, agent=agent)]))


def test_they_are_tried_the_gentlest_first() -> None:
    """What comes after a restart is a restart with a new cache; what comes after that loses the machine's identity."""
    rungs = [one.id for one in remediations(margin=HOUR, max_window=HOUR) if one.fixes is FailureState.NO_HEARTBEAT]

    assert rungs == ["restart-silent-agent", "clear-agent-cache", "enable-agent", "advise-silent-agent"]


def test_the_cache_is_renamed_and_can_be_renamed_back() -> None:
    plan = answer(WEB)

    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert isinstance(step, RunScript)
    assert (step.script, step.undo_script) == ("windows/clear-agent-cache.ps1", "windows/restore-agent-cache.ps1")


def test_only_windows_machines_that_a_script_can_reach_have_such_a_cache() -> None:
    assert isinstance(answer(LINUX), Declined)
    assert isinstance(answer(WEB, agent=None), Declined)
    assert isinstance(answer(a_machine("web-01", power=PowerState.STOPPED)), Declined)
    assert isinstance(answer(a_machine("arc-01", is_arc=True)), Declined)


def told_from_inside(service: str, machine: Machine = WEB) -> dict[str, Plan | Declined]:
    """What each of the rungs that act says, where a look inside has said that of the agent's service."""
    finding = a_finding(FailureState.NO_HEARTBEAT, machine.id, name=machine.name, evidence={"agentService": service})
    world = facts(machines=[machine], views=[an_instance_view(machine)])
    return {rung.id: rung.plan(finding, world) for rung in (RestartSilentAgent(), ClearAgentCache(), EnableAgent())}


def test_a_disabled_agent_is_enabled_and_not_restarted_in_vain() -> None:
    answers = told_from_inside("disabled")

    assert [id_ for id_, one in answers.items() if isinstance(one, Plan)] == ["enable-agent"]
    plan = answers["enable-agent"]
    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert isinstance(step, RunScript)
    assert (step.script, step.undo_script) == ("windows/enable-agent.ps1", "windows/restore-agent-service.ps1")


def test_whoever_removed_the_agent_gets_it_neither_restarted_nor_enabled() -> None:
    answers = told_from_inside("missing")

    assert all(isinstance(one, Declined) for one in answers.values())
    restart = answers["restart-silent-agent"]
    assert isinstance(restart, Declined)
    assert [step for step in restart.advice.steps if "Service" in step] == []


@pytest.mark.parametrize("service", ["", "stopped"])
def test_only_a_service_that_was_seen_disabled_is_enabled(service: str) -> None:
    """Nobody looked, or it stopped by itself: then a restart is tried."""
    answers = told_from_inside(service)

    assert [id_ for id_, one in answers.items() if isinstance(one, Declined)] == ["enable-agent"]


def test_where_no_script_can_be_sent_to_a_disabled_agent_a_person_is_told_the_command() -> None:
    enable = told_from_inside("disabled", a_machine("web-01", power=PowerState.UNKNOWN))["enable-agent"]

    assert isinstance(enable, Declined)
    assert "On web-01, as an administrator: Set-Service -Name HealthService" in enable.advice.steps[0]


def test_what_is_left_to_a_person_names_the_machine_and_the_key() -> None:
    finding = a_finding(FailureState.NO_HEARTBEAT, WEB.id, name=WEB.name)
    windows = AdviseSilentAgent().plan(finding, facts(machines=[WEB]))
    linux = AdviseSilentAgent().plan(
        a_finding(FailureState.NO_HEARTBEAT, LINUX.id, name=LINUX.name), facts(machines=[LINUX])
    )

    assert "HybridRunbookWorker" in "".join(windows.advice.steps)
    assert WEB.arm_id in "".join(windows.advice.steps)
    assert "omsadmin.conf" in "".join(linux.advice.steps)
