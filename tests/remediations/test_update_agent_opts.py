"""Repairs of Windows Update that an operator has to ask for: its rights on its store, and the WSUS server it names."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.hresults import described
from model.facts import Machine
from model.findings import Finding
from model.plans import Declined, Plan, RunScript
from model.states import ActionClass, FailureState
from remediations.free_update_cache import FreeUpdateCache
from remediations.grant_update_store import GrantUpdateStore
from remediations.set_wsus_server import SetWsusServer
from tests.builders import a_body, a_finding, a_machine, an_instance_view, facts

WEB, LINUX = a_machine("web-01"), a_machine("lin-01", os="Linux")
SERVER = "https://wsus.contoso.com:8531"
WSUS, GRANT, FREE = SetWsusServer(server=SERVER), GrantUpdateStore(), FreeUpdateCache()
UNRESOLVED, NO_SERVER, DENIED = 0x8024402C, 0x80244011, 0x80070005


def an_error(code: int, machine: Machine = WEB, **more: Any) -> Finding:
    evidence = {**described(code), "phase": "scan", "updates": [], "deployments": [], "server": "", **more}
    return a_finding(FailureState.UPDATE_AGENT_ERROR, machine.id, name=machine.name, evidence=evidence)


def answer(
    fix: FreeUpdateCache | GrantUpdateStore | SetWsusServer, finding: Finding, machine: Machine = WEB
) -> Plan | Declined:
    world = facts(machines=[machine], bodies=[a_body(machines=[machine])], views=[an_instance_view(machine)])
    return fix.plan(finding, world)


def the_script(plan: Plan | Declined) -> RunScript:
    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert isinstance(step, RunScript)
    return step


@pytest.mark.parametrize("code", [UNRESOLVED, NO_SERVER])
@pytest.mark.parametrize("named", ["", "old-wsus.contoso.com"])
def test_a_client_that_names_another_server_or_none_is_pointed_at_the_operator_s(code: int, named: str) -> None:
    """The address goes as hexadecimal digits: nothing in it can end a text of the script."""
    step = the_script(answer(WSUS, an_error(code, server=named)))

    assert step.script == "windows/set-wsus-server.ps1"
    assert bytes.fromhex(step.parameters["ServerHex"]).decode() == SERVER
    assert step.undo_script == "windows/restore-registry.ps1"


@pytest.mark.parametrize(
    ("fix", "finding", "machine"),
    [
        # Nobody has named a server.
        (SetWsusServer(), an_error(UNRESOLVED), WEB),
        # It names that one: its name does not resolve, and setting it again resolves nothing.
        (WSUS, an_error(UNRESOLVED, server="wsus.contoso.com"), WEB),
        # Another code, or another machine.
        (WSUS, an_error(DENIED), WEB),
        (WSUS, an_error(UNRESOLVED, LINUX), LINUX),
        (GRANT, an_error(UNRESOLVED), WEB),
        (GRANT, an_error(DENIED, LINUX), LINUX),
    ],
)
def test_nothing_else_is_done_than_what_the_code_asks_for(
    fix: GrantUpdateStore | SetWsusServer, finding: Finding, machine: Machine
) -> None:
    assert isinstance(answer(fix, finding, machine), Declined)


def test_windows_update_gets_its_rights_on_its_store_back_after_they_were_saved() -> None:
    plan = answer(GRANT, an_error(DENIED))

    step = the_script(plan)
    assert (step.script, step.undo_script) == ("windows/grant-update-store.ps1", "windows/restore-store-rights.ps1")
    assert isinstance(plan, Plan)
    assert "malware" in plan.risk


# What the script itself takes for full: a gigabyte.
@pytest.mark.parametrize(("megabytes", "freed"), [(None, False), (1024, False), (1023, True), (0, True)])
def test_a_full_drive_is_what_denies_access_and_then_room_is_made(megabytes: int | None, freed: bool) -> None:  # noqa: FBT001
    finding = an_error(DENIED, freeMegabytes=megabytes)

    granted, made = answer(GRANT, finding), answer(FREE, finding)

    assert (isinstance(granted, Plan), isinstance(made, Plan)) == (not freed, freed)
    if freed:
        assert the_script(made).script == "windows/free-update-cache.ps1"


def test_a_full_drive_without_that_error_or_out_of_reach_is_left_alone() -> None:
    assert isinstance(answer(FREE, an_error(UNRESOLVED, freeMegabytes=1)), Declined)
    assert isinstance(answer(FREE, an_error(DENIED, LINUX, freeMegabytes=1), LINUX), Declined)


def test_no_sweep_does_either_of_its_own_accord() -> None:
    assert {WSUS.action_class, GRANT.action_class, FREE.action_class} == {ActionClass.OPT}
