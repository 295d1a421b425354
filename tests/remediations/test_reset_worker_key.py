"""A cloned machine gets an agent identity of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.documents import Document, at
from model.facts import Facts, Machine, PowerState, SavedSearch, UserWorker
from model.plans import AwaitIdentity, Declined, Plan, PutSavedSearch, RunScript
from model.states import FailureState, Impact
from remediations.reset_worker_key import ResetWorkerKey
from tests.builders import (
    SCOPE_SEARCH,
    WORKSPACE,
    WORKSPACE_GUID,
    a_finding,
    a_machine,
    a_saved_search,
    an_instance_view,
    facts,
    guid,
    swapped,
    vm,
)

CLONE = a_machine("clone-01", group="RG-Farm", vm_id="625686a0-6d08-4810-aae9-a089e68d4911")
OTHER_ORDER = "a0865662-086d-1048-aae9-a089e68d4911"
"""The same id as the documentation shows it with its first three groups swapped."""
AGENT = guid("copied agent")
FINDING = a_finding(
    FailureState.CLONED_MACHINE,
    CLONE.id,
    name="clone-01",
    evidence={"sourceComputerId": AGENT, "computer": "clone-01.contoso.com"},
)
A, B = guid("a"), guid("b")
QUERY = "properties.query"


def world(
    *,
    machine: Machine | None = CLONE,
    agent: str | None = "ProvisioningState/succeeded",
    workers: Iterable[UserWorker] = (),
    searches: Iterable[SavedSearch] = (),
    **rest: Any,
) -> Facts:
    machines = [machine] if machine else []
    views: list[Document] = [an_instance_view(m, agent=agent) for m in machines]
    return facts(machines=machines, views=views, user_workers=workers, searches=searches, **rest)


def planned(facts_: Facts) -> Plan | Declined:
    return ResetWorkerKey().plan(FINDING, facts_)


def why_not(facts_: Facts) -> str:
    answer = planned(facts_)
    assert isinstance(answer, Declined)
    return answer.reason


def a_worker(machine_id: str = "", *, name: str = "someone.contoso.com", group: str = "Patching") -> UserWorker:
    return UserWorker(group=group, machine_id=machine_id, worker_name=name)


def scope(listed: str, *, names: str = '""') -> str:
    return f"Heartbeat | where Computer in~ ({names}) or VMUUID in~ ({listed}) | distinct Computer"


def test_a_machine_in_the_scope_leaves_it_is_reset_and_comes_back() -> None:
    """In this order: the article takes the machine out of the scope before its key is removed."""
    search = a_saved_search(scope(f'"{A}", "{CLONE.vm_id}"'))
    plan = planned(world(searches=[search]))

    assert isinstance(plan, Plan)
    assert (plan.remediation, plan.impact) == ("reset-worker-key", Impact.DISRUPTIVE)
    assert plan.group == f"clones-of:{AGENT}"
    leave, reset, wait, come_back = plan.steps
    assert isinstance(leave, PutSavedSearch)
    assert isinstance(reset, RunScript)
    assert isinstance(come_back, PutSavedSearch)
    assert (leave.saved_search, leave.restores) == (SCOPE_SEARCH, False)
    assert leave.before == search.document
    assert at(leave.after, QUERY) == scope(f'"{A}"')
    assert (reset.machine, reset.location) == (CLONE.arm_id, "westeurope")
    assert (reset.script, reset.undo_script) == ("windows/reset-worker-key.ps1", "windows/restore-worker-key.ps1")
    assert wait == AwaitIdentity(machine=CLONE.arm_id, workspace_guid=WORKSPACE_GUID, not_source_computer_id=AGENT)
    assert (come_back.saved_search, come_back.restores) == (SCOPE_SEARCH, True)
    assert (come_back.before, come_back.after) == (leave.after, search.document)


def test_a_machine_that_is_not_in_the_scope_is_only_reset() -> None:
    plan = planned(world(searches=[a_saved_search(scope(f'"{A}"'))]))

    assert isinstance(plan, Plan)
    assert [type(step) for step in plan.steps] == [RunScript, AwaitIdentity]


def test_the_script_gets_one_parameter_which_is_the_same_for_the_same_clone() -> None:
    """So a repeat writes to the same export; another identity, or another machine, has one of its own."""

    def step_id(finding: Any, facts_: Facts) -> str:
        plan = ResetWorkerKey().plan(finding, facts_)
        assert isinstance(plan, Plan)
        (step,) = [s for s in plan.steps if isinstance(s, RunScript)]
        assert list(step.parameters) == ["StepId"]
        return step.parameters["StepId"]

    again = replace(FINDING, evidence={**FINDING.evidence, "sourceComputerId": guid("another image")})
    other = a_machine("clone-02")
    ids = [
        step_id(FINDING, world()),
        step_id(again, world()),
        step_id(replace(FINDING, target=other.id), world(machine=other)),
    ]
    assert len(set(ids)) == 3
    assert step_id(FINDING, world(searches=[a_saved_search(scope(f'"{CLONE.vm_id}"'))])) == ids[0]
    assert all(len(id_) == 16 and set(id_) <= set("0123456789abcdef") for id_ in ids)


UNFIT: list[tuple[str, Facts, str]] = [
    ("Linux", world(machine=replace(CLONE, os="Linux")), "Windows VMs of Azure only"),
    ("an operating system that nobody told", world(machine=replace(CLONE, os="")), "Windows VMs of Azure only"),
    ("an Arc machine", world(machine=replace(CLONE, is_arc=True)), "Windows VMs of Azure only"),
    ("gone from the inventory", world(machine=None), "Windows VMs of Azure only"),
    ("stopped", world(machine=replace(CLONE, power=PowerState.STOPPED)), "it is stopped"),
    ("deallocated", world(machine=replace(CLONE, power=PowerState.DEALLOCATED)), "it is deallocated"),
    ("starting", world(machine=replace(CLONE, power=PowerState.STARTING)), "it is starting"),
    ("power unknown", world(machine=replace(CLONE, power=PowerState.UNKNOWN)), "it is unknown"),
    ("guest agent not ready", world(agent="ProvisioningState/Unavailable"), "guest agent is not ready"),
    ("no guest agent", world(agent=None), "guest agent is not ready"),
    ("deleted meanwhile", world(without=[CLONE.id]), "does not exist any more"),
    ("its view could not be read",
     world(without=[CLONE.id], unreadable={CLONE.id: "GET: 429"}), "could not be read: GET: 429"),
    ("user workers could not be read", world(unreadable={"user-workers": "503"}), "could not be read: 503"),
    ("the scope could not be read", world(unreadable={"saved-searches": "403"}), "could not be read: 403"),
    # A user hybrid worker keeps its registration in the key that would be removed.
    ("a user hybrid worker", world(workers=[a_worker(CLONE.id)]), "user hybrid worker (Patching)"),
    ("of two groups", world(workers=[a_worker(CLONE.id, group="B"), a_worker(CLONE.id, group="A")]), "(A, B)"),
    # Workers that came with the agent have no resource id; by its name one of them may be this machine.
    ("a worker of its name", world(workers=[a_worker(name="CLONE-01.contoso.com")]), "user hybrid worker"),
    ("a worker of its name without a domain", world(workers=[a_worker(name="clone-01")]), "user hybrid worker"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "why"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
def test_a_machine_that_must_not_be_reset_is_declined_with_the_reason(facts_: Facts, why: str) -> None:
    assert why in why_not(facts_)


@pytest.mark.parametrize(
    "worker", [a_worker(vm("clone-01", group="rg-other").lower(), name="clone-01"), a_worker(name="clone-011")]
)
def test_somebody_else_s_user_worker_stands_in_nobody_s_way(worker: UserWorker) -> None:
    """A resource id tells the machine, whatever its name."""
    assert isinstance(planned(world(workers=[worker])), Plan)


EDITS: list[tuple[str, str, str]] = [
    # what the case is about, the list of VM ids, the list without the machine
    ("the first", f'"{CLONE.vm_id}", "{A}", "{B}"', f'"{A}", "{B}"'),
    ("the middle", f'"{A}", "{CLONE.vm_id}", "{B}"', f'"{A}", "{B}"'),
    ("the last", f'"{A}", "{B}", "{CLONE.vm_id}"', f'"{A}", "{B}"'),
    ("the only one", f'"{CLONE.vm_id}"', '""'),
    ("in the other byte order", f'"{A}", "{OTHER_ORDER}"', f'"{A}"'),
    ("in both byte orders", f'"{OTHER_ORDER}", "{A}", "{CLONE.vm_id}"', f'"{A}"'),
    ("in capitals", f'"{A.upper()}", "{CLONE.vm_id.upper()}"', f'"{A.upper()}"'),
    ("twice", f'"{CLONE.vm_id}","{CLONE.vm_id}"', '""'),
    ("between odd spaces", f'"{A}"  ,\n\t"{CLONE.vm_id}" ,"{B}"', f'"{A}"  ,\n\t"{B}"'),
    ("without any", f'"{A}","{CLONE.vm_id}","{B}"', f'"{A}","{B}"'),
    ("beside an empty text", f'"", "{CLONE.vm_id}"', '""'),
    ("in single quotes", f"'{A}', '{CLONE.vm_id}'", f"'{A}'"),
]  # fmt: skip


@pytest.mark.parametrize(("listed", "left"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
def test_only_the_machine_s_entry_leaves_the_list(listed: str, left: str) -> None:
    assert edited(scope(listed)) == scope(left)


@pytest.mark.parametrize(
    "around",
    [
        "Heartbeat | where VMUUID in~({}) | distinct Computer",
        "Heartbeat|where vmuuid  IN~\n( {} )|distinct Computer",
        'Heartbeat | where Computer in~ ("clone-01", "clone-02") or VMUUID in~ ({}) | distinct Computer',
        f'let text = "{CLONE.vm_id}"; Heartbeat | where VMUUID in~ ({{}}) or Computer == text',
        f'Heartbeat | where SourceComputerId in~ ("{CLONE.vm_id}") or VMUUID in~ ({{}})',
        f'Heartbeat | where VMUUID !in~ ("{CLONE.vm_id}") and VMUUID in~ ({{}})',
        f'Heartbeat | where HostVMUUID in~ ("{CLONE.vm_id}") or VMUUID in~ ({{}})',
        "Heartbeat | where VMUUID in ({})",
    ],
)
def test_everything_outside_the_list_stays_as_somebody_wrote_it(around: str) -> None:
    """Names, comments, other columns and exclusions: the same GUID elsewhere is not the machine's membership."""
    assert edited(around.format(f'"{A}", "{CLONE.vm_id}"')) == around.format(f'"{A}"')


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Heartbeat | distinct Computer",
        scope(f'"{A}"'),
        scope('""', names='"clone-01"'),
        f'Heartbeat | where VMUUID == "{CLONE.vm_id}"',
        f'Heartbeat | where VMUUID in~ (dynamic(["{CLONE.vm_id}"]))',
        f'Heartbeat | where VMUUID in~ ("{CLONE.vm_id}"',
    ],
)
def test_a_query_that_lists_no_such_id_is_not_touched(query: str) -> None:
    assert edited(query) is None


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("updates|microsoftdefaultcomputergroup", True),
        ("Updates|MicrosoftDefaultComputerGroup", True),
        ("updates%7Cmicrosoftdefaultcomputergroup", True),
        ("changetracking|microsoftdefaultcomputergroup", False),
        ("microsoftdefaultcomputergroup", False),
        ("updates|mygroup", False),
    ],
)
def test_only_the_scope_of_update_management_is_edited(name: str, ours: bool) -> None:  # noqa: FBT001
    """Other solutions keep a scope of the same make, and lose no machine over this."""
    search = a_saved_search(scope(f'"{A}", "{CLONE.vm_id}"'), id_=f"{WORKSPACE}/savedSearches/{name}")
    plan = planned(world(searches=[search]))

    assert isinstance(plan, Plan)
    assert any(isinstance(step, PutSavedSearch) for step in plan.steps) is ours


def test_a_query_of_thousands_of_machines_is_edited_at_once() -> None:
    """Also where it is broken: a list without commas and without an end must not keep the sweep busy."""
    many = [f'"{guid(str(n))}"' for n in range(4000)]

    assert edited(scope(", ".join([*many, f'"{CLONE.vm_id}"']))) == scope(", ".join(many))
    assert edited("Heartbeat | where VMUUID in~ (" + " ".join(many)) is None


ids = st.sampled_from([*(guid(str(n)) for n in range(5)), CLONE.vm_id, OTHER_ORDER, CLONE.vm_id.upper(), ""])
blanks = st.text(alphabet=" \t\n", max_size=3)


@given(st.lists(ids, min_size=1, max_size=8), st.data())
def test_what_was_taken_out_comes_back_to_the_letter(listed: list[str], data: st.DataObject) -> None:
    """Leaving and coming back ends with the text that was there, and in between the others are all there."""
    text = "".join(
        ("" if n == 0 else data.draw(blanks) + "," + data.draw(blanks)) + f'"{id_}"' for n, id_ in enumerate(listed)
    )
    query = scope(text)
    found = steps(query)
    mine = {CLONE.vm_id, swapped(CLONE.vm_id)}

    assert bool(found) is any(id_.lower() in mine for id_ in listed)
    if found:
        leave, come_back = found
        left = str(at(leave.after, QUERY))
        assert at(come_back.after, QUERY) == query
        assert come_back.after == leave.before
        assert [id_ for id_ in listed if id_.lower() not in mine] == [
            id_ for id_ in left.split("VMUUID in~ (")[1].split('"')[1::2] if id_ or "" in listed
        ]
        assert {k: v for k, v in leave.after.items() if k != "properties"} == {
            k: v for k, v in leave.before.items() if k != "properties"
        }


def steps(query: str) -> list[PutSavedSearch]:
    plan = planned(world(searches=[a_saved_search(query)]))
    assert isinstance(plan, Plan)
    return [step for step in plan.steps if isinstance(step, PutSavedSearch)]


def edited(query: str) -> str | None:
    """The query without the machine; None where nothing is planned about it."""
    found = steps(query)
    return str(at(found[0].after, QUERY)) if found else None


def test_it_needs_the_machine_s_instance_view() -> None:
    assert ResetWorkerKey().needs(FINDING, world()) == {CLONE.id}
