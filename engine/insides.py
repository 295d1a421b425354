"""What a diagnosis adds to any finding on a machine: the obstacles inside it, and what is done about each."""

from __future__ import annotations

from dataclasses import replace

from detectors.inside import obstacles
from model.diagnosis import Diagnosis, Result
from model.facts import Facts
from model.findings import Finding
from model.plans import Declined


def with_obstacles(finding: Finding, facts: Facts) -> Finding:
    """The finding with `inside` among its evidence, where its machine was looked into and something is amiss there."""
    found = obstacles(facts, finding.target)
    return replace(finding, evidence={**finding.evidence, "inside": found}) if found else finding


def advised(declined: Declined, facts: Facts) -> Declined:
    """The advice with a step for each thing that failed inside the machine, in the order in which they are mended."""
    diagnosis = facts.diagnoses.get(declined.finding.target)
    if not isinstance(diagnosis, Diagnosis):
        return declined
    steps = [
        f"Inside {declined.finding.name}, {rule.title.lower()}"
        f"{f' ({detail})' if (detail := diagnosis[rule.id].detail) else ''}: {rule.means} {rule.advice}"
        for rule in diagnosis.rules(Result.FAILED)
    ]
    return replace(declined, advice=replace(declined.advice, steps=(*declined.advice.steps, *steps)))
