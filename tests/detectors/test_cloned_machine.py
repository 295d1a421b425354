"""Machines copied without Sysprep beat under one identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from detectors.cloned_machine import ClonedMachine
from model.documents import Json
from model.facts import Facts, Machine, Row
from model.findings import Finding
from tests.builders import ELSEWHERE, HOUR, MINUTE, a_beat, a_machine, facts, guid, swapped, vm
from tests.detectors.answers import found, unknown

AGENT = guid("copied agent")
ONE, TWO, THREE = a_machine("clone-01"), a_machine("clone-02"), a_machine("clone-03")
OLD_PLACE = vm("clone-01", group="rg-legacy").lower()
"""Where the first machine was before somebody moved it."""
REBUILT = "0d3c8a1e-2222-4444-8888-000000000001"


def world(*rows: Row, machines: Sequence[Machine] = (ONE, TWO)) -> Facts:
    return facts(machines=machines, rows={"cloned-machine": rows})


def both(**second: Json) -> tuple[Row, Row]:
    return a_beat(ONE, AGENT), {**a_beat(TWO, AGENT), **second}


TABLE: list[tuple[str, Facts, list[Machine], list[Machine]]] = [
    # what it is about, the facts, who is found, who cannot be told
    ("two machines, one identity", world(*both()), [ONE, TWO], []),
    ("three machines", world(*both(), a_beat(THREE, AGENT), machines=[ONE, TWO, THREE]), [ONE, TWO, THREE], []),
    ("an identity of its own each", world(a_beat(ONE, AGENT), a_beat(TWO, guid("own"))), [], []),
    ("alone", world(a_beat(ONE, AGENT)), [], []),
    # An hour is the last moment at which a silent agent still counts.
    ("the other silent for an hour", world(a_beat(ONE, AGENT), a_beat(TWO, AGENT, ago=HOUR)), [ONE, TWO], []),
    ("the other silent for longer",
     world(a_beat(ONE, AGENT), a_beat(TWO, AGENT, ago=HOUR + timedelta(seconds=1))), [], []),
    # One VM is one machine, whatever it is called.
    ("moved within the hour",
     world(a_beat(ONE, AGENT), a_beat(OLD_PLACE, AGENT, ago=20 * MINUTE, vm_id=ONE.vm_id)), [], []),
    ("moved, and the inventory shows both places",
     world(*both(VmId=ONE.vm_id), machines=[ONE, replace(TWO, vm_id=ONE.vm_id)]), [], []),
    ("moved, in the other byte order",
     world(a_beat(ONE, AGENT), a_beat(OLD_PLACE, AGENT, vm_id=swapped(ONE.vm_id))), [], []),
    ("restored from a backup of one that is gone since an hour and more",
     world(a_beat(ONE, AGENT), a_beat(vm("old").lower(), AGENT, ago=2 * HOUR, vm_id=REBUILT)), [], []),
    ("restored from a backup of one that was deleted within the hour",
     world(a_beat(ONE, AGENT), a_beat(vm("old").lower(), AGENT, vm_id=REBUILT)), [], []),
    ("restored from a backup of one that still runs", world(*both()), [ONE, TWO], []),
    ("the other beats with its VM id swapped", world(*both(VmId=swapped(TWO.vm_id))), [ONE, TWO], []),
    ("the other was built anew, and its old self beat last", world(*both(VmId=REBUILT)), [], []),
    # Beats without a resource id.
    ("the same VM also beats without a resource id",
     world(a_beat(ONE, AGENT), a_beat(f"vmuuid:{ONE.vm_id}", AGENT, vm_id=ONE.vm_id)), [], []),
    ("so it does, in the other byte order",
     world(a_beat(ONE, AGENT), a_beat(f"vmuuid:{swapped(ONE.vm_id)}", AGENT, vm_id=swapped(ONE.vm_id))), [], []),
    ("a known machine beats without one",
     world(a_beat(ONE, AGENT), a_beat(f"vmuuid:{TWO.vm_id}", AGENT, vm_id=TWO.vm_id)), [ONE, TWO], []),
    ("a machine outside Azure",
     world(a_beat(ONE, AGENT), a_beat(f"vmuuid:{REBUILT}", AGENT, vm_id=REBUILT)), [ONE], []),
    ("two machines outside Azure are not ours to mend",
     world(a_beat("vmuuid:a", AGENT, vm_id=guid("a")), a_beat("vmuuid:b", AGENT, vm_id=guid("b"))), [], []),
    ("a machine of a subscription that is not read",
     world(a_beat(ONE, AGENT), a_beat(vm("far", subscription=ELSEWHERE).lower(), AGENT, vm_id=REBUILT)), [ONE], []),
    ("beats that say nothing of their machine",
     world(a_beat(ONE, AGENT), a_beat("vmuuid:", AGENT, vm_id="")), [], [ONE]),
    # Whether two are one cannot be told without their own ids.
    ("the inventory lacks the other's VM id", world(*both(), machines=[ONE, replace(TWO, vm_id="")]), [], [TWO]),
    ("the other's beats lack it", world(*both(VmId="")), [], [TWO]),
    ("two are certain, a third is not",
     world(*both(), {**a_beat(THREE, AGENT), "VmId": "?"}, machines=[ONE, TWO, THREE]),
     [ONE, TWO], [THREE]),
    ("no VM id, but nobody else beats now",
     world(a_beat(ONE, AGENT, ago=3 * HOUR), a_beat(TWO, AGENT, vm_id="")), [], []),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "hit", "doubtful"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_clone_is_another_vm_under_the_same_identity(
    facts_: Facts, hit: list[Machine], doubtful: list[Machine]
) -> None:
    said = list(ClonedMachine().detect(facts_))

    assert found(said) == sorted(machine.id for machine in hit)
    assert sorted(unknown(said)) == sorted(machine.id for machine in doubtful)


def test_machines_are_found_under_each_identity_that_is_shared() -> None:
    """Two sets of clones are two sets: nobody is told to share with the other one."""
    four, other = a_machine("clone-04"), guid("another image")
    said = ClonedMachine().detect(
        world(*both(), a_beat(THREE, other), a_beat(four, other), machines=[ONE, TWO, THREE, four])
    )

    sets = {f.target: f.evidence["sharedWith"] for f in said if isinstance(f, Finding)}
    assert sets == {ONE.id: [TWO.id], TWO.id: [ONE.id], THREE.id: [four.id], four.id: [THREE.id]}


@pytest.mark.parametrize("reading", ["machines", "cloned-machine"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    said = list(
        ClonedMachine().detect(replace(world(*both()), unreadable=facts(unreadable={reading: "403"}).unreadable))
    )

    assert found(said) == []
    assert unknown(said) == {"": "403"}


def test_how_long_a_silent_agent_counts_is_a_threshold() -> None:
    facts_ = world(a_beat(ONE, AGENT), a_beat(TWO, AGENT, ago=10 * MINUTE))

    assert found(ClonedMachine().detect(facts_)) == [ONE.id, TWO.id]
    assert found(ClonedMachine(fresh=5 * MINUTE).detect(facts_)) == []


def test_the_finding_says_with_whom_and_since_when_it_was_seen() -> None:
    finding = next(iter(ClonedMachine().detect(world(*both()))))

    assert isinstance(finding, Finding)
    assert (finding.name, finding.reason) == ("clone-01", f"shares the agent identity {AGENT} with clone-02")
    assert finding.evidence["sourceComputerId"] == AGENT
    assert finding.evidence["lastBeat"] == "2026-03-10T05:59:00Z"
