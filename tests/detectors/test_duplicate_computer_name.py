"""Two machines of one workspace that bear the same computer name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from detectors.duplicate_computer_name import DuplicateComputerName
from model.documents import Document
from model.facts import Facts, Machine, Row
from model.findings import Finding
from tests.builders import ELSEWHERE, HOUR, MINUTE, NOW, a_machine, facts, guid, swapped, vm
from tests.detectors.answers import found, unknown
from tests.detectors.test_queries import a_heartbeat, answered

BLUE, GREEN, RED = (a_machine("dup-01", group=f"rg-{color}") for color in ("blue", "green", "red"))
NAME = "dup-01.contoso.com"


def a_row(
    machine: Machine | str, *, source: str = "", ago: timedelta = MINUTE, vm_id: str | None = None, name: str = NAME
) -> Document:
    """A row of `duplicate-computer-name.kql`."""
    id_ = machine if isinstance(machine, str) else machine.id
    own = "" if isinstance(machine, str) else machine.vm_id
    return {
        "MachineId": id_,
        "Name": name,
        "SourceComputerId": source or guid(f"agent {id_}"),
        "VmId": own if vm_id is None else vm_id,
        "Computer": name,
        "LastBeat": (NOW - ago).isoformat(),
    }


def world(*rows: Row, machines: Sequence[Machine] = (BLUE, GREEN)) -> Facts:
    return facts(machines=machines, rows={"duplicate-computer-name": rows})


TABLE: list[tuple[str, Facts, list[Machine], list[Machine]]] = [
    # what it is about, the facts, who is found, who cannot be told
    ("two machines, one name", world(a_row(BLUE), a_row(GREEN)), [BLUE, GREEN], []),
    ("three of them", world(*map(a_row, (BLUE, GREEN, RED)), machines=[BLUE, GREEN, RED]), [BLUE, GREEN, RED], []),
    ("another name each", world(a_row(BLUE), a_row(GREEN, name="dup-01.fabrikam.com")), [], []),
    ("alone", world(a_row(BLUE)), [], []),
    # An hour is the last moment at which a silent agent still counts.
    ("the other silent for an hour", world(a_row(BLUE), a_row(GREEN, ago=HOUR)), [BLUE, GREEN], []),
    ("the other silent for longer", world(a_row(BLUE), a_row(GREEN, ago=HOUR + MINUTE)), [], []),
    # One identity under one name is a clone, which has a failure state and a repair of its own.
    ("clones", world(a_row(BLUE, source=guid("one")), a_row(GREEN, source=guid("one"))), [], []),
    ("clones, and a third machine",
     world(a_row(BLUE, source=guid("one")), a_row(GREEN, source=guid("one")), a_row(RED),
           machines=[BLUE, GREEN, RED]), [BLUE, GREEN, RED], []),
    # One VM is one machine, whatever it is called.
    ("moved within the hour",
     world(a_row(BLUE), a_row(vm("dup-01", group="rg-old").lower(), vm_id=BLUE.vm_id)), [], []),
    ("the inventory shows both places",
     world(a_row(BLUE), a_row(replace(GREEN, vm_id=BLUE.vm_id)),
           machines=[BLUE, replace(GREEN, vm_id=BLUE.vm_id)]), [], []),
    ("the same VM in the other byte order, without a resource id",
     world(a_row(BLUE), a_row(f"vmuuid:{swapped(BLUE.vm_id)}", vm_id=swapped(BLUE.vm_id))), [], []),
    ("a known machine beats without a resource id",
     world(a_row(BLUE), a_row(f"vmuuid:{GREEN.vm_id}", vm_id=GREEN.vm_id)), [BLUE, GREEN], []),
    ("built anew, and its old self beat last", world(a_row(BLUE), a_row(GREEN, vm_id=guid("old self"))), [], []),
    ("deleted within the hour", world(a_row(BLUE), a_row(vm("gone").lower(), vm_id=guid("gone"))), [], []),
    ("a machine outside Azure", world(a_row(BLUE), a_row("vmuuid:x", vm_id=guid("onprem"))), [BLUE], []),
    ("a machine of a subscription that is not read",
     world(a_row(BLUE), a_row(vm("far", subscription=ELSEWHERE).lower(), vm_id=guid("far"))), [BLUE], []),
    # Whether two are one cannot be told without their own ids.
    ("the inventory lacks the other's VM id",
     world(a_row(BLUE), a_row(GREEN), machines=[BLUE, replace(GREEN, vm_id="")]), [], [GREEN]),
    ("the other's beats lack it", world(a_row(BLUE), a_row(GREEN, vm_id="")), [], [GREEN]),
    ("beats that say nothing of their machine", world(a_row(BLUE), a_row("vmuuid:", vm_id="")), [], []),
    ("a beat without a time", world(a_row(BLUE), {**a_row(GREEN), "LastBeat": None}), [], []),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "hit", "doubtful"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_duplicate_is_another_vm_under_the_same_name(
    facts_: Facts, hit: list[Machine], doubtful: list[Machine]
) -> None:
    said = list(DuplicateComputerName().detect(facts_))

    assert found(said) == sorted(machine.id for machine in hit)
    assert sorted(unknown(said)) == sorted(machine.id for machine in doubtful)


def test_the_finding_names_the_others_by_their_resource_ids() -> None:
    finding = next(iter(DuplicateComputerName().detect(world(a_row(BLUE), a_row(GREEN)))))

    assert isinstance(finding, Finding)
    assert finding.evidence["sharedWith"] == [GREEN.id]
    assert finding.evidence["machines"] == 2


@pytest.mark.parametrize("reading", ["machines", "duplicate-computer-name"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    read = replace(world(a_row(BLUE), a_row(GREEN)), unreadable=facts(unreadable={reading: "403"}).unreadable)

    assert unknown(DuplicateComputerName().detect(read)) == {"": "403"}


class TestTheQuery:
    """`duplicate-computer-name.kql`, executed."""

    def bearers(self, *beats: Document) -> set[str]:
        return {str(row["MachineId"]) for row in answered("duplicate-computer-name", Heartbeat=beats)}

    def test_machines_of_one_name_have_a_row_each_in_whatever_case(self) -> None:
        shouting = {**a_heartbeat(GREEN, guid("two")), "Computer": "DUP-01.contoso.com"}
        rows = [a_heartbeat(BLUE, guid("one")), shouting, a_heartbeat(a_machine("own"), guid("three"))]

        assert self.bearers(*rows) == {BLUE.id, GREEN.id}

    def test_a_machine_that_changed_its_identity_is_one_machine(self) -> None:
        assert self.bearers(a_heartbeat(BLUE, guid("one"), ago=2 * HOUR), a_heartbeat(BLUE, guid("two"))) == set()

    def test_a_machine_that_was_renamed_does_not_bear_its_old_name(self) -> None:
        old = {**a_heartbeat(GREEN, guid("two"), ago=2 * HOUR)}
        new = {**a_heartbeat(GREEN, guid("two")), "Computer": "green-01.contoso.com"}

        assert self.bearers(a_heartbeat(BLUE, guid("one")), old, new) == set()

    def test_the_newer_agent_does_not_count(self) -> None:
        newer = a_heartbeat(GREEN, guid("two"), category="Azure Monitor Agent")

        assert self.bearers(a_heartbeat(BLUE, guid("one")), newer) == set()
