"""What a guardrail is: one belt, pure, that may hold or refuse a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from guardrails.reach import Reach
from model.facts import Facts
from model.plans import Hold, Plan, Refuse
from model.states import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """That a remediation was tried on a target: from its first action on, whatever came of it."""

    run: str
    at: datetime
    in_vain_until: datetime | None = None
    """Where it was applied and did not help: how long that is remembered."""

    def counts_until(self, within: timedelta) -> datetime:
        """When it no longer counts, where an attempt as such counts `within` a time."""
        return max(self.at + within, self.in_vain_until or self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a guardrail may know beside the plan itself."""

    facts: Facts
    mode: Mode
    by_person: bool
    """True where a person applies the saved plan; a sweep of its own accord is not one."""
    now: datetime
    """The present; the facts have a time of their own."""
    run: str = ""
    """The run that the plan is to be applied in."""
    reach: Reach | None = None
    """What the plan reaches, where that has been found already; see `reach_of`."""
    touched: frozenset[str] = field(default_factory=frozenset)
    """Machines that the run's earlier, allowed plans touch already."""
    in_treatment_by: str = ""
    """Another run that treats the finding, or has still to verify its treatment; empty for none."""
    in_treatment_until: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    """The latest times that the plan's remediation was tried on its target."""
    group_in_treatment_by: str = ""
    """Another run that treats one of the plan's group; empty for none."""
    from_logs: bool = False
    """True where the finding stands on what Log Analytics answered."""
    unhealthy: frozenset[str] = field(default_factory=frozenset)
    """Machines with a finding that makes a machine unhealthy."""
    behind: Mapping[str, int | None] = field(default_factory=dict)
    """By the key of a workspace's finding: how many machines are silent or not assessed for it; None where unknown."""
    storm_ends: datetime | None = None
    """When the cool-down of the last storm that was seen is over."""
    failures: int = 0
    """Treatments of the run that failed."""
    in_flight: int = 0
    """Treatments of the run that were begun and may still fail."""
    failed_first: frozenset[str] = field(default_factory=frozenset)
    """Remediations that failed in this attempt at the run, and never went through in the run."""

    def reach_of(self, plan: Plan) -> Reach:
        """What the plan reaches; a belt that is asked alone finds it out itself."""
        return self.reach or Reach.of(plan, self.facts)


class Guardrail(Protocol):
    def judge(self, plan: Plan, situation: Situation) -> Hold | Refuse | None:
        """None where it does not object."""
        ...
