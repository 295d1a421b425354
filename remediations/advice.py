"""Failure states that only a person can end: what each of them is told, exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from model.documents import Json
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined


class AdviceOnly(ABC):
    """A remediation that changes nothing: it always declines, and its advice names what is to be done where."""

    __slots__ = ()

    id: ClassVar[str]
    fixes: ClassVar[FailureState]
    action_class: ClassVar[ActionClass] = ActionClass.ADVISE
    impact: ClassVar[Impact] = Impact.READ_ONLY
    permissions: ClassVar[frozenset[str]] = frozenset()
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Declined:
        reason, *steps = self.advise(finding, facts)
        return declined(finding, self.id, reason, *steps)

    @abstractmethod
    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        """Why a person has to do it, and the steps."""


def texts(value: Json) -> list[str]:
    """The texts of a list in a finding's evidence."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def listed(values: Iterable[str], most: int = 10) -> str:
    """Names in a sentence, and how many more there are."""
    names = list(values)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def where(finding: Finding, facts: Facts) -> str:
    """A finding's target as a person finds it: by its resource id, in Azure's spelling where that is known."""
    if finding.target.startswith("name:"):
        return finding.name
    known = facts.machines.get(finding.target) or facts.deployments.get(finding.target)
    return f"{finding.name} ({known.arm_id if known else finding.target})"


RETIRED = (
    "Before you install or reinstall this agent: it and its solution were retired on 31 August 2024. "
    "Move the machine to Azure Update Manager instead."
)
