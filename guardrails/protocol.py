"""What a guardrail is: one belt, pure, that may hold or refuse a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from model.facts import Facts
from model.plans import Hold, Plan, Refuse
from model.states import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a guardrail may know beside the plan itself."""

    facts: Facts
    mode: Mode
    by_person: bool
    """True where a person applies the saved plan; a sweep of its own accord is not one."""
    touched: frozenset[str] = field(default_factory=frozenset)
    """Machines that the run's earlier, allowed plans touch already."""
    treated_lately: frozenset[str] = field(default_factory=frozenset)
    """Finding keys that another run treated within the cool-down."""


class Guardrail(Protocol):
    def judge(self, plan: Plan, situation: Situation) -> Hold | Refuse | None:
        """None where it does not object."""
        ...
