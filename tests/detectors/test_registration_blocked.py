"""An agent that reports, and whose worker never registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from detectors.registration_blocked import RegistrationBlocked
from model.documents import Document
from model.facts import Facts, Machine, Row, SystemGroup
from model.findings import Finding
from tests.builders import DAY, HOUR, MINUTE, NOW, a_complaint, a_machine, a_system_group, facts, guid, vm
from tests.detectors.answers import found, unknown
from tests.detectors.test_queries import a_heartbeat, answered, stamp

WEB, SQL = a_machine("web-01"), a_machine("sql-01")
AGENT = guid("agent of web-01")
KNOWN = "AzureAutomation.HybridAgent: do not possess a common algorithm"


def a_row(
    machine: Machine = WEB, *, source: str = AGENT, ago: timedelta = MINUTE, vm_id: str | None = None
) -> Document:
    """A row of `registration-blocked.kql`."""
    return {
        "MachineId": machine.id,
        "SourceComputerId": source,
        "Computer": f"{machine.name}.contoso.com",
        "OSType": "Windows",
        "VmId": machine.vm_id if vm_id is None else vm_id,
        "First": stamp(NOW - 3 * HOUR),
        "LastBeat": stamp(NOW - ago),
    }


def world(
    *rows: Row,
    machines: Sequence[Machine] = (WEB, SQL),
    groups: Iterable[SystemGroup] = (),
    said: Sequence[Row] = (),
    unreadable: dict[str, str] | None = None,
) -> Facts:
    return facts(
        machines=machines,
        system_groups=groups,
        rows={"registration-blocked": rows, "agent-complaints": said},
        unreadable=unreadable,
    )


TABLE: list[tuple[str, Facts, list[Machine], list[Machine]]] = [
    # what it is about, the facts, who is found, who cannot be told
    ("no group", world(a_row()), [WEB], []),
    ("somebody else's group", world(a_row(), groups=[a_system_group("sql-01.contoso.com", guid("x"))]), [WEB], []),
    ("a group of its identity", world(a_row(), groups=[a_system_group("other", AGENT)]), [], []),
    # That a group's name holds the identity is not documented: one of the machine's name makes us careful.
    ("a group of its name", world(a_row(), groups=[a_system_group("web-01", guid("x"))]), [], []),
    ("a group of its full name", world(a_row(), groups=[a_system_group("WEB-01.contoso.com", guid("x"))]), [], []),
    ("silent for an hour", world(a_row(ago=HOUR)), [WEB], []),
    ("silent for longer", world(a_row(ago=HOUR + MINUTE)), [], []),
    ("an identity of two machines", world(a_row(), a_row(SQL)), [], []),
    ("two machines", world(a_row(), a_row(SQL, source=guid("y"))), [SQL, WEB], []),
    ("deleted", world({**a_row(), "MachineId": vm("gone").lower()}), [], []),
    ("built anew since", world(a_row(vm_id=guid("old self"))), [], []),
    ("no VM id in its beats", world(a_row(vm_id="")), [], [WEB]),
    ("no VM id in the inventory", world(a_row(), machines=[replace(WEB, vm_id="")]), [], [WEB]),
    # Its agent says what is wrong: one cause, one finding, and not this one.
    ("its agent says why", world(a_row(), said=[a_complaint(WEB, KNOWN)]), [], []),
    ("its agent says what nobody knows", world(a_row(), said=[a_complaint(WEB, "?")]), [WEB], []),
    ("another's agent says why", world(a_row(), said=[a_complaint(SQL, KNOWN)]), [WEB], []),
    # Whether agents are heard at all takes nothing from this.
    ("nobody hears agents", world(a_row(), unreadable={"agent-complaints": "no table Event"}), [WEB], []),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "hit", "doubtful"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_worker_that_never_registered_is_found_where_nothing_else_explains_it(
    facts_: Facts, hit: list[Machine], doubtful: list[Machine]
) -> None:
    said = list(RegistrationBlocked().detect(facts_))

    assert found(said) == [machine.id for machine in hit]
    assert sorted(unknown(said)) == [machine.id for machine in doubtful]


@pytest.mark.parametrize("reading", ["machines", "system-groups", "registration-blocked"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    said = RegistrationBlocked().detect(world(a_row(), unreadable={reading: "503"}))

    assert unknown(said) == {"": "503"}


def test_it_began_with_the_first_beat_under_the_identity() -> None:
    (finding,) = RegistrationBlocked().detect(world(a_row()))

    assert isinstance(finding, Finding)
    assert finding.since == NOW - 3 * HOUR


class TestTheQuery:
    """`registration-blocked.kql`, executed."""

    def suspects(self, *beats: Document, assessed: Sequence[str] = ()) -> set[str]:
        updates: list[Document] = [
            {"TimeGenerated": stamp(NOW - 5 * HOUR), "SourceComputerId": source, "UpdateState": "Needed"}
            for source in [guid("somebody else"), *assessed]
        ]
        rows = answered("registration-blocked", Heartbeat=beats, Update=updates)
        return {str(row["MachineId"]) for row in rows}

    def beat(self, *, ago: timedelta = MINUTE, solutions: str = '"security", "updates"', **more: str) -> Document:
        return {**a_heartbeat(WEB, more.pop("source", AGENT), ago=ago, **more), "Solutions": solutions}

    def test_one_with_the_solution_and_without_an_assessment_is_a_suspect(self) -> None:
        assert self.suspects(self.beat(ago=2 * HOUR), self.beat()) == {WEB.id}
        assert self.suspects(self.beat(ago=2 * HOUR), self.beat(), assessed=[AGENT.upper()]) == set()

    def test_within_the_first_hour_it_may_still_come(self) -> None:
        assert self.suspects(self.beat(ago=59 * MINUTE), self.beat()) == set()
        assert self.suspects(self.beat(ago=61 * MINUTE), self.beat()) == {WEB.id}

    def test_without_the_solution_nothing_is_to_be_expected(self) -> None:
        assert self.suspects(self.beat(ago=2 * HOUR), self.beat(solutions='"security"')) == set()

    def test_a_new_identity_has_its_own_hour(self) -> None:
        """The machine was reset just now; that its old identity is an hour old says nothing."""
        assert self.suspects(self.beat(ago=5 * HOUR, source=guid("old")), self.beat()) == set()

    def test_the_newer_agent_does_not_count(self) -> None:
        beats = [self.beat(ago=ago, category="Azure Monitor Agent") for ago in (2 * HOUR, MINUTE)]

        assert self.suspects(*beats) == set()

    def test_beats_of_more_than_a_day_ago_are_left_out(self) -> None:
        assert self.suspects(self.beat(ago=DAY + HOUR)) == set()
