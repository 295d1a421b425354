"""What machines' parts in runs ended with tells what ails their workers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.linux_worker_conflict import LinuxWorkerConflict
from detectors.protocol import Detector
from detectors.worker_job_limit_reached import WorkerJobLimitReached
from model.facts import Facts
from model.findings import Finding
from tests.builders import DAY, ELSEWHERE, NOW, a_body, a_machine, a_machine_run, a_run, facts, vm
from tests.detectors.answers import found, unknown

WEB = a_machine("web-01")
LIMIT = "Job was suspended as it exceeded the job limit for a Hybrid Worker"
CONFLICT = "Unable to register, an existing worker was found"
CASES: list[tuple[Detector, str]] = [
    (WorkerJobLimitReached(), LIMIT),
    (LinuxWorkerConflict(), CONFLICT),
    (LinuxWorkerConflict(), "Failed to deregister worker. [response_status=404]"),
]
cases = pytest.mark.parametrize(("detector", "error"), CASES)


def world(error: str, *, target: str = WEB.id, run: str = "run-1", later: bool = False) -> Facts:
    runs = [a_run("run-1"), *([a_run("run-2", start=NOW - DAY)] if later else [])]
    parts = [a_machine_run(target, run=run, status="Failed", error=f"Suspended: {error}")]
    return facts(machines=[WEB], bodies=[a_body()], runs=runs, machine_runs=parts)


@cases
def test_the_newest_run_of_a_deployment_decides(detector: Detector, error: str) -> None:
    assert found(detector.detect(world(error))) == [WEB.id]
    assert found(detector.detect(world(error, later=True))) == []
    assert found(detector.detect(world(error, run="run-of-nobody"))) == []


@cases
def test_other_errors_are_other_states(detector: Detector, error: str) -> None:
    assert found(detector.detect(world("Failed to start the runbook."))) == []
    other = next(text for one, text in CASES if one.finds is not detector.finds)
    assert found(detector.detect(world(other))) == []


@cases
def test_machines_by_name_are_named_and_those_that_are_gone_are_not(detector: Detector, error: str) -> None:
    far = vm("far", subscription=ELSEWHERE).lower()

    assert found(detector.detect(world(error, target="ONPREM"))) == ["name:onprem"]
    assert found(detector.detect(world(error, target=vm("gone").lower()))) == []
    assert found(detector.detect(world(error, target=far))) == [far]


@cases
def test_the_finding_says_in_which_deployments(detector: Detector, error: str) -> None:
    (finding,) = detector.detect(world(error))

    assert isinstance(finding, Finding)
    assert finding.evidence["deployments"] == ["weekly"]
    assert error in str(finding.evidence["text"])
    assert finding.since == NOW - 4 * DAY


@pytest.mark.parametrize("reading", ["machines", "deployments", "runs", "machine-runs"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    read = replace(world(LIMIT), unreadable=facts(unreadable={reading: "429"}).unreadable)

    assert unknown(WorkerJobLimitReached().detect(read)) == {"": "429"}
