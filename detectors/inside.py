"""What the inside of a machine says, where it was looked into.

A detector asks for a rule. Whoever was not looked into, did not answer or could not tell is unknown with the reason,
never passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from detectors.protocol import Detector
from model.diagnosis import Diagnosis, OperatingSystem, Result, RuleResult
from model.documents import Document
from model.facts import Facts, PowerState, Unreadable
from model.findings import Finding

_NOBODY_LOOKED: Final = RuleResult(result=Result.UNKNOWN)


def inside(facts: Facts, target: str, rule: str) -> RuleResult:
    """How a rule ended in a machine; unknown, with the reason as its detail, where nobody knows."""
    match facts.diagnoses.get(target):
        case Diagnosis() as diagnosis:
            return diagnosis.results.get(rule, _NOBODY_LOOKED)
        case Unreadable(what=what):
            return RuleResult(result=Result.UNKNOWN, detail=what)
        case None:
            return _NOBODY_LOOKED


def amiss(facts: Facts, target: str, rule: str) -> str:
    """What a rule said that did not pass; empty where it passed or nobody knows."""
    told = inside(facts, target, rule)
    return told.detail if told.result in {Result.FAILED, Result.WARNING} else ""


def a_diagnosis(wanted: str, told: RuleResult) -> str:
    """What is missing where a rule that would tell `wanted` is unknown."""
    return f"a diagnosis of the machine: {wanted}" + (f" ({told.detail})" if told.detail else "")


def worth_a_look(facts: Facts, targets: Iterable[str], os: OperatingSystem | None = None) -> frozenset[str]:
    """Those of the suspects that can be looked into."""
    machines = [facts.machines[target] for target in targets if target in facts.machines]
    return frozenset(
        machine.id
        for machine in machines
        if (machine.is_arc or machine.power is PowerState.RUNNING) and (os is None or machine.os.lower() == os.value)
    )


def found_without(detector: Detector, facts: Facts) -> frozenset[str]:
    """The machines that a detector finds by the logs alone: a look inside tells why, or whether it is so still."""
    outside = replace(facts, diagnoses={})
    return worth_a_look(facts, [one.target for one in detector.detect(outside) if isinstance(one, Finding)])


def obstacles(facts: Facts, target: str, rules: Iterable[str] | None = None) -> Document:
    """By rule: what failed inside, or looks doubtful, in the order of the table; for the evidence of a finding."""
    diagnosis = facts.diagnoses.get(target)
    if not isinstance(diagnosis, Diagnosis):
        return {}
    wanted = None if rules is None else frozenset(rules)
    return {
        rule.id: f"{diagnosis[rule.id].result.value} {diagnosis[rule.id].detail}".strip()
        for rule in diagnosis.rules(Result.FAILED, Result.WARNING)
        if wanted is None or rule.id in wanted
    }
