"""A machine's agent took a new identity; deployments call the old one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from detectors.source_id_changed import SourceIdChanged
from model.facts import Facts, Row
from model.findings import Finding
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    a_body,
    a_machine,
    a_machine_run,
    a_run,
    an_identity,
    facts,
    guid,
    swapped,
    update_deployment,
    vm,
)
from tests.detectors.answers import answer, found, unknown

OLD, NEW, THIRD = guid("old agent"), guid("new agent"), guid("third agent")
SQL = a_machine("sql-01")
WEEKLY = update_deployment("Weekly").lower()
RAN = NOW - 4 * DAY
"""When the newest run started."""
WAS = an_identity(SQL, OLD, last=NOW - 5 * DAY)
IS = an_identity(SQL, NEW, last=NOW - MINUTE, first=NOW - 5 * DAY + HOUR)


def world(
    *,
    machines: Sequence[Any] = (SQL,),
    beats: Sequence[Row] = (WAS, IS),
    body: dict[str, Any] | None = None,
    call: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    **rest: Any,
) -> Facts:
    """The machine failed to start in Friday's run under the old identity, but for what the case says."""
    deployment = a_body(**{"machines": [SQL], "edited": NOW - 60 * DAY, **(body or {})})
    called = a_machine_run(**{"machine": SQL, "source": OLD, "start": RAN, **(call or {})})
    newest = a_run(**{"status": "Failed", "start": RAN, **(run or {})})
    rows: dict[str, Any] = {"machine_runs": [called], "runs": [newest], **rest}
    return facts(machines=machines, bodies=[deployment], rows={"source-id-changed": beats}, **rows)


def at(moment: datetime) -> dict[str, Any]:
    return {"body": {"edited": moment}}


REBUILT = "0d3c8a1e-2222-4444-8888-000000000001"

TABLE: list[tuple[str, Facts, str]] = [
    ("the newest run called the old identity", world(), "found"),
    ("it called the present one: another cause", world(call={"source": NEW}), "nothing"),
    ("it called one of several former ones",
     world(beats=[an_identity(SQL, THIRD, last=NOW - 9 * DAY), WAS, IS]), "found"),
    ("it called one that the machine never had", world(call={"source": THIRD}), "nothing"),
    ("it does not say whom it called", world(call={"source": ""}), "unknown"),
    ("the identity went back to what it was",
     world(beats=[IS | {"Last": WAS["Last"]}, WAS | {"Last": IS["Last"]}]), "nothing"),
    ("it ended otherwise", world(call={"status": "Failed"}), "nothing"),
    ("no machine run failed", world(machine_runs=[]), "nothing"),
    ("the machine never changed its identity", world(beats=[]), "nothing"),
    # Names decide nothing: a machine run that knows a name only is not this machine's.
    ("the run names a computer, not a resource", world(call={"machine": "sql-01"}), "nothing"),
    # Who the machine is.
    ("the heartbeat has the VM's id in the other byte order",
     world(beats=[WAS | {"VmId": swapped(SQL.vm_id)}, IS]), "found"),
    ("both heartbeats have it so", world(beats=[b | {"VmId": swapped(SQL.vm_id).upper()} for b in (WAS, IS)]), "found"),
    ("the VM was built anew under the same resource id", world(beats=[WAS | {"VmId": REBUILT}, IS]), "nothing"),
    ("the new VM does not beat yet", world(beats=[b | {"VmId": REBUILT} for b in (WAS, IS)]), "nothing"),
    ("the beats have no VM id", world(beats=[WAS, IS | {"VmId": ""}]), "unknown"),
    ("the old beats had none", world(beats=[WAS | {"VmId": ""}, IS]), "unknown"),
    ("the inventory has none", world(machines=[replace(SQL, vm_id="")]), "unknown"),
    ("the machine is not in the inventory: moved or deleted", world(machines=[]), "nothing"),
    # Edited since: at the very start of the run is before its machines are called.
    ("edited a second after the run began", world(**at(RAN + MINUTE / 60)), "unknown"),
    ("edited as the run began", world(**at(RAN)), "found"),
    ("edited before", world(**at(RAN - MINUTE)), "found"),
    ("never edited", world(body={"edited": None}), "found"),
    ("the machine run has no start, the run has", world(call={"start": None}), "found"),
    ("neither has one", world(call={"start": None}, run={"start": None}), "unknown"),
    ("neither has one, and nobody edited",
     world(call={"start": None}, run={"start": None}, body={"edited": None}), "found"),
    # What will not run again needs no mending.
    ("disabled", world(body={"enabled": False}), "nothing"),
    ("a one-time deployment that is over", world(body={"frequency": "OneTime", "next_run": NOW - DAY}), "nothing"),
    ("a one-time deployment to come", world(body={"frequency": "OneTime"}), "found"),
    ("the schedule does not say whether it is enabled", world(body={"enabled": None}), "unknown"),
    ("deleted meanwhile", world(without=[WEEKLY]), "nothing"),
    ("the deployment names the machine no more", world(body={"machines": [vm("web-02")]}), "nothing"),
    ("its full document could not be read",
     world(without=[WEEKLY], unreadable={WEEKLY: "GET: 503"}), "unknown"),
    # A later run of the same deployment overtakes what an earlier one said; another deployment's does not.
    ("a later run started on it", world(runs=[a_run(start=RAN), a_run("run-2", start=RAN + DAY)]), "nothing"),
    ("an older run is listed after it", world(runs=[a_run(start=RAN), a_run("run-0", start=RAN - DAY)]), "found"),
    ("a later run of another deployment",
     world(runs=[a_run(start=RAN), a_run("run-2", of="Other", start=NOW)]), "found"),
    ("the run is of a deployment that is gone", world(runs=[a_run(of="Gone", start=RAN)]), "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_former_identity_is_found_where_it_is_still_called(facts_: Facts, expected: str) -> None:
    assert answer(SourceIdChanged().detect(facts_)) == expected


@pytest.mark.parametrize("reading", ["machines", "deployments", "runs", "machine-runs", "source-id-changed"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    """Neither a finding nor a clean bill, although everything else is there."""
    said = list(SourceIdChanged().detect(world(unreadable={reading: "503 Service Unavailable"})))

    assert found(said) == []
    assert unknown(said) == {"": "503 Service Unavailable"}


def test_a_finding_names_the_identities_and_the_deployments() -> None:
    (finding,) = SourceIdChanged().detect(world())

    assert isinstance(finding, Finding)
    assert (finding.target, finding.name, finding.since) == (SQL.id, "sql-01", NOW - 5 * DAY + HOUR)
    assert finding.evidence["sourceComputerIdWas"] == [OLD]
    assert finding.evidence["sourceComputerIdIs"] == NEW
    assert finding.evidence["deployments"] == ["Weekly"]


def test_two_machines_of_one_name_are_told_apart_by_their_resource_ids() -> None:
    """Only one of them changed; the other bears its name and nothing else."""
    blue, green = a_machine("dup-01", group="rg-blue"), a_machine("dup-01", group="rg-green")
    beats = [an_identity(green, OLD, last=NOW - 5 * DAY), an_identity(green, NEW, last=NOW - MINUTE)]
    calls = [a_machine_run(machine, source=OLD, start=RAN) for machine in (blue, green)]
    said = SourceIdChanged().detect(
        facts(
            machines=[blue, green],
            bodies=[a_body(machines=[blue, green])],
            runs=[a_run(status="Failed", start=RAN)],
            machine_runs=calls,
            rows={"source-id-changed": beats},
        )
    )

    assert found(said) == [green.id]


def test_one_deployment_that_was_edited_does_not_hide_another_that_was_not() -> None:
    edited = a_body("Edited", machines=[SQL], edited=NOW - DAY)
    said = SourceIdChanged().detect(
        facts(
            machines=[SQL],
            bodies=[edited, a_body("Untouched", machines=[SQL])],
            runs=[a_run("run-1", of="Edited", start=RAN), a_run("run-2", of="Untouched", start=RAN)],
            machine_runs=[
                a_machine_run(SQL, run="run-1", of="Edited", source=OLD, start=RAN),
                a_machine_run(SQL, run="run-2", of="Untouched", source=OLD, start=RAN),
            ],
            rows={"source-id-changed": [WAS, IS]},
        )
    )

    (finding,) = said
    assert isinstance(finding, Finding)
    assert finding.evidence["deployments"] == ["Untouched"]


def test_a_closer_look_is_taken_at_every_deployment_that_names_the_machine_and_at_no_other() -> None:
    """The edit has to touch all of them, not only the one whose run failed; a healthy fleet costs nothing."""
    bodies = [a_body(machines=[SQL]), a_body("Also", machines=[SQL]), a_body("Other", machines=[vm("web-02")])]
    injured = replace(world(), deployments=facts(bodies=bodies).deployments)
    healthy = replace(injured, machine_runs=())

    assert SourceIdChanged().suspects(injured) == {update_deployment(n).lower() for n in ("Weekly", "Also")}
    assert SourceIdChanged().suspects(healthy) == frozenset()


def test_the_later_of_two_beats_within_a_second_is_the_present_one() -> None:
    """`…05Z` is earlier than `…05.500Z`, which a comparison of the texts would deny."""
    beats = [WAS | {"Last": "2026-03-10T05:59:05Z"}, IS | {"Last": "2026-03-10T05:59:05.500Z"}]

    assert answer(SourceIdChanged().detect(world(beats=beats))) == "found"
    assert answer(SourceIdChanged().detect(world(beats=beats, call={"source": NEW}))) == "nothing"
