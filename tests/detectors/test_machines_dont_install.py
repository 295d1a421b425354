"""When a machine counts as patched in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from detectors.machines_dont_install import MachinesDontInstall
from model.documents import Document, Json
from model.facts import Facts, MachineRun
from model.findings import Finding
from tests.builders import DAY, NOW, a_body, a_deployment, a_machine, a_machine_run, a_run, facts, update_deployment
from tests.detectors.answers import answer, unknown

WEB, LINUX = a_machine("web-01"), a_machine("db-01", os="Linux")
RUNS = [a_run(f"run-{n}", start=NOW - n * 7 * DAY, status="Failed") for n in (1, 2, 3)]


def failed(n: int, *, status: str = "Failed", error: str = "", linux: bool = False) -> MachineRun:
    """The machine's part in the newest run (1), or in one before."""
    return a_machine_run(LINUX if linux else WEB, run=f"run-{n}", status=status, error=error)


def a_failure(**more: Json) -> Document:
    """A row of `machines-dont-install.kql`."""
    row: Document = {
        "MachineId": WEB.id,
        "VmId": WEB.vm_id,
        "Computer": "web-01",
        "Deployment": "weekly",
        "KBs": ["5034768"],
        "Seen": "2026-03-09T05:00:00Z",
    }
    return row | more


def world(
    *parts: MachineRun,
    rows: list[Document] | None = None,
    errors: list[Document] | None = None,
    excluded: Sequence[str] = (),
) -> Facts:
    weekly = a_deployment(a_body(machines=[WEB, LINUX]))
    read = facts(
        machines=[WEB, LINUX],
        bodies=[a_body(machines=[WEB, LINUX])],
        runs=RUNS,
        machine_runs=parts,
        rows={"machines-dont-install": rows or [], "update-agent-error": errors or []},
    )
    return replace(read, deployments={weekly.id: replace(weekly, kb_exclusions=frozenset(excluded))})


CASES = [
    ("once", world(failed(1)), "nothing"),
    ("twice in a row", world(failed(1), failed(2)), "found"),
    ("twice, and not the last time", world(failed(2), failed(3)), "nothing"),
    ("twice, with a success between", world(failed(1), failed(3)), "nothing"),
    ("it failed to start, which is another state", world(failed(1, status="FailedToStart"), failed(2)), "nothing"),
    ("the window was too short, which is another state",
     world(failed(1, status="MaintenanceWindowExceeded"), failed(2)), "nothing"),
    ("a code says why", world(failed(1, error="0x80244022"), failed(2)), "nothing"),
    ("Linux has its own states", world(failed(1, linux=True), failed(2, linux=True)), "nothing"),
    ("an update failed and is needed", world(rows=[a_failure()]), "found"),
    ("its deployment leaves the update out by now", world(rows=[a_failure()], excluded=["5034768"]), "nothing"),
    ("it is written with KB before it", world(rows=[a_failure(KBs=["KB5034768"])], excluded=["5034768"]), "nothing"),
    ("another one is left out", world(rows=[a_failure(KBs=["5034768", "5034122"])], excluded=["5034768"]), "found"),
    ("what has no number cannot be left out", world(rows=[a_failure(KBs=["", "5034768"])], excluded=["5034768"]),
     "found"),
    ("the agent's error explains it", world(rows=[a_failure()], errors=[a_failure(Phase="scan", Text="0x80072EE2")]),
     "nothing"),
    ("both", world(failed(1), failed(2), rows=[a_failure()]), "found"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_machine_that_fails_again_and_again_without_a_code_is_found(read: Facts, said: str) -> None:
    assert answer(MachinesDontInstall().detect(read)) == said


def test_it_says_which_updates_failed_in_two_runs_of_which_deployment() -> None:
    """And leaves those aside that the deployment leaves out."""
    rows = [a_failure(KBs=["5034768", "5034122", ""], Again=["KB5034768", "5034122", ""])]
    [one] = MachinesDontInstall().detect(world(rows=rows, excluded=["5034122"]))

    assert isinstance(one, Finding)
    assert one.evidence["failedAgain"] == [{"deployment": update_deployment("Weekly").lower(), "kbs": ["5034768"]}]


def test_it_says_how_often_and_what() -> None:
    [one] = MachinesDontInstall().detect(world(failed(1), failed(2), failed(3), rows=[a_failure()]))

    assert isinstance(one, Finding)
    assert one.reason == "the last 3 runs of Weekly failed on it; KB5034768 failed and stay needed"
    assert one.since == NOW - 21 * DAY


@pytest.mark.parametrize("missing", ["machines-dont-install", "update-agent-error", "machine-runs", "runs"])
def test_what_could_not_be_read_is_unknown(missing: str) -> None:
    assert unknown(MachinesDontInstall().detect(facts(unreadable={missing: "503"}))) == {"": "503"}
