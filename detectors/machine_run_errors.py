"""What the machines' parts in runs ended with, and to which failure state it belongs."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.complaints import SHOWN
from detectors.error_texts import SeenIn, meaning, plain_text
from detectors.protocol import Detector, unreadable
from model.facts import Facts, MachineRun
from model.findings import Detection, Finding
from model.resource_ids import InvalidResourceId, ResourceId
from model.runs import newest_runs


def told_by_runs(detector: Detector, facts: Facts) -> Iterator[Detection]:
    """A finding for each machine of which a deployment's newest run says that it is in the detector's state."""
    if gap := unreadable(detector, facts):
        yield gap
        return
    newest = newest_runs(facts)
    by_machine: dict[str, list[MachineRun]] = {}
    for run in facts.machine_runs:
        means = meaning(run.error, SeenIn.MACHINE_RUN)
        if means and means.state is detector.finds and newest.deployment_of(run.run):
            by_machine.setdefault(run.target, []).append(run)
    for target in sorted(by_machine):
        if named := _name(target, facts):
            yield _finding(detector, *named, by_machine[target])


def _finding(detector: Detector, target: str, name: str, runs: list[MachineRun]) -> Finding:
    last = max(runs, key=lambda run: (run.start is not None, run.start, run.id))
    means = meaning(last.error, SeenIn.MACHINE_RUN)
    return Finding(
        state=detector.finds,
        target=target,
        name=name,
        reason=f"its newest run ended so: {means.means if means else last.error[:SHOWN]}",
        since=min((run.start for run in runs if run.start), default=None),
        evidence={
            "cause": means.id if means else "",
            "text": plain_text(last.error)[:SHOWN],
            "deployments": [*sorted({run.deployment for run in runs})],
            "machineRuns": [*sorted(run.id for run in runs)],
        },
    )


def _name(target: str, facts: Facts) -> tuple[str, str] | None:
    """Target and name of a machine; None for one that is gone."""
    if machine := facts.machines.get(target):
        return machine.id, machine.name
    try:
        parsed = ResourceId.parse(target)
    except InvalidResourceId:
        # A deployment knows machines outside Azure by their computer name.
        return f"name:{target.lower()}", target
    return None if parsed.subscription.lower() in facts.subscriptions else (parsed.key, parsed.name)
