"""Failed runs on Linux machines: found while they stand, with their cause as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.linux_run_failed import LinuxRunFailed
from model.documents import Document
from model.facts import Facts, JobOutput
from model.findings import Finding
from tests.builders import DAY, HOUR, MINUTE, NOW, a_body, a_machine, a_machine_run, a_run, facts, update_deployment
from tests.detectors.answers import answer, unknown

LIN, OTHER, WIN = a_machine("lin-01", os="Linux"), a_machine("lin-02", os="Linux"), a_machine("win-01")
INTERRUPTED = "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem."
RAN = NOW - 4 * DAY


def failed(**part: Any) -> Any:
    return a_machine_run(LIN, **({"status": "Failed", "os": "Linux", "job": "job-1"} | part))


def world(
    parts: Sequence[Any] | None = None,
    *,
    runs: Sequence[Any] | None = None,
    output: str | None = None,
    packages: Sequence[Document] = (),
    body: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Facts:
    """A deployment whose only run, four days ago, failed on one machine."""
    parts = [failed()] if parts is None else parts
    outputs = {parts[0].id: JobOutput(text=output)} if output is not None else None
    return facts(
        machines=[LIN, OTHER, WIN],
        bodies=[a_body(**({"machines": [LIN], "classes": "Critical, Security"} | dict(body or {})))],
        runs=[a_run(status="Failed")] if runs is None else runs,
        machine_runs=parts,
        job_outputs=outputs,
        rows={"linux-failed-packages": packages},
        **rest,
    )


def a_failed_package(name: str, run: str = "run-1", error: str = "") -> Document:
    return {"MachineId": LIN.id, "RunId": run, "Package": name, "Error": error, "Failed": "2026-03-06T06:30:00Z"}


TABLE: list[tuple[str, Facts, str]] = [
    ("the newest run failed on it", world(), "found"),
    ("the run says no system, and the inventory does", world([failed(os="")]), "found"),
    ("Windows", world([a_machine_run(WIN, status="Failed", os="Windows")]), "nothing"),
    ("it never started: another state", world([failed(status="FailedToStart")]), "nothing"),
    ("it ran out of time: another state", world([failed(status="MaintenanceWindowExceeded")]), "nothing"),
    ("it is under way on the machine", world([failed(status="InProgress")]), "nothing"),
    ("a machine of another name space", world([a_machine_run("lin-01", status="Failed", os="Linux")]), "nothing"),
    ("a later run ended well", world(runs=[a_run(status="Failed"), a_run("run-2", start=NOW - DAY)]), "nothing"),
    (
        "a later run is under way",
        world(runs=[a_run(status="Failed"), a_run("run-2", status="InProgress", start=NOW - HOUR)]),
        "unknown",
    ),
    ("a run of a deployment that is gone", world(runs=[a_run(of="Another", status="Failed")]), "nothing"),
    ("deleted since it was listed", world(without=[update_deployment("Weekly")]), "nothing"),
    ("the deployment is disabled", world(body={"enabled": False}), "nothing"),
    ("it ran once and is over", world(body={"frequency": "OneTime", "next_run": None}), "nothing"),
    ("nobody says whether it is enabled", world(body={"enabled": None}), "unknown"),
    # The boundary is the start of the run: what was edited before it was in force in it.
    ("edited at its start", world(body={"edited": RAN}), "found"),
    ("edited a minute later", world(body={"edited": RAN + MINUTE}), "unknown"),
    ("its job wrote nothing that is known", world(output="Starting..."), "found"),
    ("its job could not be read", world(unreadable={f"job:{failed().id}": "503"}), "found"),
    ("the schedule could not be read", world(unreadable={update_deployment("Weekly").lower(): "503"}), "unknown"),
    ("the machine runs could not be read", world(unreadable={"machine-runs": "503"}), "unknown"),
    ("the log could not be read", world(unreadable={"linux-failed-packages": "no table"}), "unknown"),
]


@pytest.mark.parametrize(("case", "world", "said"), TABLE, ids=[case for case, *_ in TABLE])
def test_what_is_found(case: str, world: Facts, said: str) -> None:
    assert answer(LinuxRunFailed().detect(world)) == said


def the_finding(world: Facts) -> Finding:
    (found,) = LinuxRunFailed().detect(world)
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(
    "world",
    [
        world([failed(error=INTERRUPTED)]),
        world(output=f"Reading state information...\n{INTERRUPTED}\n"),
        world(packages=[a_failed_package("openssl", error=INTERRUPTED)]),
    ],
    ids=["the run's error", "the job's output", "the package's error"],
)
def test_the_cause_is_looked_for_wherever_it_may_be_told(world: Facts) -> None:
    evidence = the_finding(world).evidence

    assert evidence["cause"] == "packages-interrupted"
    assert evidence["action"] == "configure-packages"
    assert evidence["line"] == INTERRUPTED


def test_the_finding_is_the_machine_s_and_names_run_and_deployment() -> None:
    found = the_finding(world(output=INTERRUPTED))

    assert (found.target, found.name, found.since) == (LIN.id, "lin-01", RAN)
    assert found.evidence["deployments"] == ["Weekly"]
    assert found.evidence["run"] == "run-1"
    assert "lin-01" in " ".join(map(str, [found.evidence["means"], found.evidence["advice"]]))
    assert "{" not in str(found.evidence["means"])


def test_several_causes_are_all_evidence_and_the_first_is_mended() -> None:
    evidence = the_finding(world(output=f"{INTERRUPTED}\nNo space left on device\n")).evidence

    assert evidence["cause"] == "disk-full"
    assert [cause["cause"] for cause in evidence["causes"]] == ["disk-full", "packages-interrupted"]  # type: ignore[index, union-attr, call-overload]


def test_a_failure_without_a_known_text_is_found_and_says_that_it_is_unexplained() -> None:
    assert the_finding(world(output="something new")).evidence["cause"] == "unexplained"


def test_an_output_that_could_not_be_read_is_told() -> None:
    evidence = the_finding(world(unreadable={f"job:{failed().id}": "503"})).evidence

    assert evidence["cause"] == "unexplained"
    assert "503" in str(evidence["jobOutput"])


PACKAGES: list[tuple[str, list[Document], list[str]]] = [
    ("the same in two runs", [a_failed_package("zlib"), a_failed_package("zlib", "run-0")], ["zlib"]),
    ("in this run only", [a_failed_package("zlib")], []),
    ("in an older run only", [a_failed_package("zlib", "run-0")], []),
    ("another one each time", [a_failed_package("zlib"), a_failed_package("bash", "run-0")], []),
    # Three may be one source package; four that fail together share something that is broken.
    (
        "three together",
        [a_failed_package(f"lib{n}", run) for n in range(3) for run in ("run-0", "run-1")],
        ["lib0", "lib1", "lib2"],
    ),
    ("four together", [a_failed_package(f"lib{n}", run) for n in range(4) for run in ("run-0", "run-1")], []),
    ("no package's name", [a_failed_package("x; rm -rf /", run) for run in ("run-0", "run-1")], []),
    (
        "another machine's",
        [{**a_failed_package("zlib", run), "MachineId": OTHER.id} for run in ("run-0", "run-1")],
        [],
    ),
]


@pytest.mark.parametrize(("case", "packages", "blamed"), PACKAGES, ids=[case for case, *_ in PACKAGES])
def test_a_package_that_fails_again_is_blamed(case: str, packages: list[Document], blamed: list[str]) -> None:
    evidence = the_finding(world(packages=packages)).evidence

    assert evidence["packages"] == blamed
    assert evidence["cause"] == ("package-interferes" if blamed else "unexplained")


def test_a_package_is_not_blamed_for_what_the_package_manager_explains() -> None:
    packages = [a_failed_package("zlib"), a_failed_package("zlib", "run-0")]

    assert the_finding(world(packages=packages, output=INTERRUPTED)).evidence["packages"] == []


def test_only_deployments_that_failed_on_linux_are_looked_at_closer() -> None:
    assert LinuxRunFailed().suspects(world()) == {update_deployment("Weekly").lower()}
    assert LinuxRunFailed().suspects(world([a_machine_run(WIN, status="Failed", os="Windows")])) == frozenset()


def test_why_it_cannot_be_told_is_said() -> None:
    told = unknown(LinuxRunFailed().detect(world(body={"edited": NOW - DAY})))

    assert told == {LIN.id: "a run of Weekly since it was edited on 2026-03-09T06:00:00Z"}


@given(st.text(max_size=2_000), st.integers(min_value=1, max_value=600))
def test_no_output_stops_the_sweep(text: str, times: int) -> None:
    assert answer(LinuxRunFailed().detect(world(output=text * times))) == "found"
