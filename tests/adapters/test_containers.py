"""What the guardrails read beside the detectors: tags of groups and subscriptions, and run commands of a machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.export import export
from guardrails import Situation
from guardrails.exclusion_tag import ExclusionTag
from guardrails.run_command import OtherRunCommand
from model.documents import Document
from model.facts import Reading, containers_of, run_commands_of
from model.plans import Hold, Plan, Refuse, RunScript
from model.states import FailureState, Mode
from simulator.fleet import load_folder
from simulator.fleets import generate
from tests.adapters.world import World, a_world
from tests.builders import a_finding, a_plan

TAG = "patchwright-exclude"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An estate in which the group of the first machine is kept out."""
    fleet = generate(12, 3, injured=0)
    machine = min(
        str(d["id"]) for d in fleet.documents if str(d["type"]).lower() == "microsoft.compute/virtualmachines"
    )
    group: Document = {
        "id": machine.split("/providers/")[0],
        "type": "Microsoft.Resources/subscriptions/resourceGroups",
        "name": machine.split("/")[4],
        "location": "westeurope",
        "tags": {TAG: "until June", "team": "web"},
    }
    others = [d for d in fleet.documents if str(d["id"]).lower() != str(group["id"]).lower()]
    with a_world(replace(fleet, documents=[*others, group])) as world:
        yield world


def repair(machine: str) -> Plan:
    step = RunScript(machine=machine, location="", script="x.sh", parameters={})
    return a_plan(step, finding=a_finding(FailureState.NO_HEARTBEAT, machine.lower()))


def test_groups_and_subscriptions_come_with_their_tags_in_one_query(world: World) -> None:
    before = len(world.azure.requests())

    facts = world.facts(Reading.CONTAINERS)

    assert facts.unreadable == {}
    assert len(world.azure.requests()) == before + 1
    (tagged,) = [container for container in facts.containers.values() if container.tags]
    assert tagged.tags == {TAG: "until June", "team": "web"}
    assert {f"/subscriptions/{guid}" for guid in facts.subscriptions} <= facts.containers.keys()


def test_a_machine_of_a_tagged_group_is_kept_out(world: World) -> None:
    facts = world.facts(Reading.MACHINES, Reading.CONTAINERS)
    situation = Situation(facts=facts, mode=Mode.ACT, by_person=True, now=facts.now)
    tagged = {container.id for container in facts.containers.values() if container.tags}

    out = {id_ for id_ in facts.machines if isinstance(ExclusionTag(tag=TAG).judge(repair(id_), situation), Refuse)}

    assert out == {id_ for id_ in facts.machines if tagged & set(containers_of(id_))}
    assert out
    assert out != facts.machines.keys()


def test_an_export_keeps_the_tags_of_groups(world: World, tmp_path: Path) -> None:
    export(world.estate, tmp_path)

    with a_world(load_folder(tmp_path)) as again:
        assert again.facts(Reading.CONTAINERS).containers == world.facts(Reading.CONTAINERS).containers


def test_the_run_commands_of_a_machine_are_looked_up_with_what_they_are_at(world: World) -> None:
    facts = world.facts(Reading.MACHINES)
    machine = min(one.id for one in facts.machines.values() if not one.is_arc)
    listed = run_commands_of(machine)

    closer = world.estate.look_closer(facts, frozenset({listed}))

    assert closer.documents == {listed: {"value": []}}
    situation = Situation(facts=closer, mode=Mode.ACT, by_person=True, now=facts.now)
    assert OtherRunCommand().judge(repair(facts.machines[machine].arm_id), situation) is None
    assert '"$expand": "instanceView"' in json.dumps(world.azure.requests()[-1])


def test_run_commands_of_a_machine_that_is_gone_hold(world: World) -> None:
    facts = world.facts(Reading.MACHINES)
    gone = f"{min(facts.machines)}-gone"

    closer = world.estate.look_closer(facts, frozenset({run_commands_of(gone)}))

    situation = Situation(facts=closer, mode=Mode.ACT, by_person=True, now=facts.now)
    assert isinstance(OtherRunCommand().judge(repair(gone), situation), Hold)
