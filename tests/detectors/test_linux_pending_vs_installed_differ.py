"""Security updates that stay pending on Linux after a run that selects them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from detectors.linux_pending_vs_installed_differ import LinuxPendingVsInstalledDiffer
from model.documents import Document
from model.facts import Facts, Machine
from model.findings import Finding
from model.times import format_time
from tests.builders import DAY, HOUR, MINUTE, NOW, a_body, a_machine, a_machine_run, a_run, facts, update_deployment
from tests.detectors.answers import answer

LIN, OTHER = a_machine("lin-01", os="Linux"), a_machine("lin-02", os="Linux")
STARTED, ENDED = NOW - 4 * DAY, NOW - 4 * DAY + HOUR


def pending(
    machine: Machine = LIN, *, first: datetime = STARTED - DAY, seen: datetime = NOW - HOUR, packages: Any = 2
) -> Document:
    return {
        "MachineId": machine.id,
        "First": format_time(first),
        "Seen": format_time(seen),
        "Packages": packages,
        "Package": "openssl",
        "OsName": "Ubuntu",
    }


def world(
    rows: Sequence[Document] | None = None, *, runs: Any = None, parts: Any = (), unreadable: Any = None, **changed: Any
) -> Facts:
    body: dict[str, Any] = {"machines": [LIN], "classes": "Critical, Security", **changed}
    return facts(
        machines=[LIN, OTHER],
        bodies=[a_body(**body)],
        runs=[a_run()] if runs is None else runs,
        machine_runs=parts,
        rows={"linux-pending-after-run": [pending()] if rows is None else rows},
        unreadable=unreadable,
    )


def late(length: timedelta) -> Document:
    return pending(first=STARTED + length)


TABLE: list[tuple[str, Facts, str]] = [
    ("needed before and after a good run", world(), "found"),
    ("nothing is pending", world([]), "nothing"),
    # What was first needed when the run had begun was not the run's to install.
    ("first needed a minute before the start", world([late(-MINUTE)]), "found"),
    ("first needed at the start", world([late(timedelta())]), "nothing"),
    ("not assessed since the run ended", world([pending(seen=ENDED)]), "nothing"),
    ("assessed a second later", world([pending(seen=ENDED + timedelta(seconds=1))]), "found"),
    ("the run failed", world(runs=[a_run(status="Failed")]), "nothing"),
    ("the run is under way", world(runs=[a_run(), a_run("run-2", status="InProgress", start=NOW - HOUR)]), "nothing"),
    ("it failed on the machine", world(parts=[a_machine_run(LIN, status="Failed")]), "nothing"),
    ("it never ran", world(runs=[]), "nothing"),
    ("it selects Other too", world(classes="Critical, Security, Other"), "nothing"),
    ("it selects Other alone", world(classes="Other"), "nothing"),
    ("it leaves packages out, as somebody wished", world(excluded=["openssl*"]), "nothing"),
    ("another machine's", world([pending(OTHER)]), "nothing"),
    ("a row without a count", world([pending(packages=None)]), "nothing"),
    ("the updates could not be read", world(unreadable={"linux-pending-after-run": "no table"}), "unknown"),
    ("the runs could not be read", world(unreadable={"runs": "503"}), "unknown"),
]


@pytest.mark.parametrize(("case", "world", "said"), TABLE, ids=[case for case, *_ in TABLE])
def test_what_is_found(case: str, world: Facts, said: str) -> None:
    assert answer(LinuxPendingVsInstalledDiffer().detect(world)) == said


def test_a_run_without_an_end_tells_nothing() -> None:
    run = dataclasses.replace(a_run(), end=None)

    assert answer(LinuxPendingVsInstalledDiffer().detect(world(runs=[run]))) == "nothing"


def test_one_finding_for_the_deployment_counts_its_machines_and_packages() -> None:
    rows = [pending(), pending(first=STARTED - 3 * DAY, packages=1), pending(OTHER, packages=4)]
    (found,) = LinuxPendingVsInstalledDiffer().detect(world(rows, machines=[LIN, OTHER]))

    assert isinstance(found, Finding)
    assert found.target == update_deployment("Weekly").lower()
    assert (found.evidence["machineCount"], found.evidence["packages"]) == (2, 7)
    assert found.since == STARTED - 3 * DAY
    assert found.evidence["machines"] == [
        {"machine": LIN.id, "packages": 3, "example": "openssl", "os": "Ubuntu"},
        {"machine": OTHER.id, "packages": 4, "example": "openssl", "os": "Ubuntu"},
    ]
