"""The belts, one module each. All of them judge every plan, and the tightest wins."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from guardrails.attempts import Attempts
from guardrails.blast_radius import BlastRadius
from guardrails.canary import Canary
from guardrails.change_window import InChangeWindow
from guardrails.cool_down import CoolDown
from guardrails.error_budget import ErrorBudget
from guardrails.exclusion_tag import ExclusionTag
from guardrails.freeze import NoFreeze
from guardrails.impact_ceiling import ImpactCeiling
from guardrails.log_lag import LogLag
from guardrails.maintenance_window import MaintenanceWindow
from guardrails.mode_of_state import ModeOfState
from guardrails.one_of_a_set import OneOfASet
from guardrails.opted_in import OptedIn
from guardrails.protocol import Attempt, Guardrail, Situation
from guardrails.reach import Reach
from guardrails.run_command import OtherRunCommand
from guardrails.scope import Scope
from guardrails.second_look import SecondLook
from guardrails.stale_facts import StaleFacts
from guardrails.storm_gate import StormGate
from guardrails.update_run import UpdateRun
from model.calendars import ChangeWindow, Freeze
from model.facts import Reading
from model.plans import Allow, Hold, Plan, Refuse, Verdict
from model.states import Impact

READS: Final = frozenset(
    {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS, Reading.CONTAINERS}
)
"""What the guardrails look at, whatever is treated."""

log = logging.getLogger("patchwright")

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the guardrails hold to; each field is a setting, and the defaults are the settings' own."""

    exclude_tag: str = "patchwright-exclude"
    max_impact: Impact = Impact.REVERSIBLE
    optional: frozenset[str] = field(default_factory=frozenset)
    """Ids of remediations that are off until they are `opted_in`."""
    opted_in: frozenset[str] = field(default_factory=frozenset)
    in_window: frozenset[str] = field(default_factory=frozenset)
    """Ids of remediations for maintenance windows only."""
    max_machines: int = 5
    max_percent: int = 10
    error_budget: int = 3
    cool_down: timedelta = timedelta(hours=1)
    attempts: int = 2
    attempts_within: timedelta = timedelta(hours=24)
    storm_percent: int = 20
    storm_cool_down: timedelta = timedelta(hours=4)
    change_windows: tuple[ChangeWindow, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    facts_max_age: timedelta = timedelta(hours=1)
    log_max_lag: timedelta = timedelta(hours=1)


def guardrails(policy: Policy) -> tuple[Guardrail, ...]:
    """Every guardrail; those that only a person can satisfy come first."""
    return (
        Scope(),
        ExclusionTag(tag=policy.exclude_tag),
        ModeOfState(),
        OptedIn(optional=policy.optional, chosen=policy.opted_in),
        ImpactCeiling(most=policy.max_impact, chosen=policy.opted_in),
        StormGate(percent=policy.storm_percent, cool_down=policy.storm_cool_down),
        LogLag(most=policy.log_max_lag),
        SecondLook(),
        CoolDown(length=policy.cool_down),
        Attempts(most=policy.attempts, within=policy.attempts_within),
        OneOfASet(),
        UpdateRun(),
        OtherRunCommand(),
        MaintenanceWindow(inside=policy.in_window),
        *guardrails_of_the_moment(policy),
        BlastRadius(machines=policy.max_machines, percent=policy.max_percent),
    )


def guardrails_of_the_moment(policy: Policy) -> tuple[Guardrail, ...]:
    """Those that are asked once more when a treatment's turn comes: a wave may be hours old by then."""
    return (
        NoFreeze(freezes=policy.freezes),
        InChangeWindow(windows=policy.change_windows),
        StaleFacts(most=policy.facts_max_age),
        Canary(),
        ErrorBudget(most=policy.error_budget),
    )


def judge(plan: Plan, situation: Situation, belts: Sequence[Guardrail]) -> Verdict:
    """What the tightest belt says, with what the others say beside it; Allow where none objects.

    A refusal is tighter than a hold, a hold that no time ends is tighter than one that ends, and of those the longest
    is. Among equals the first belt is named.
    """
    # What cannot be found out here, the belts that need it cannot find out either, and hold.
    with suppress(Exception):
        situation = replace(situation, reach=Reach.of(plan, situation.facts))
    objections = [objection for belt in belts if (objection := _judged(belt, plan, situation))]
    if not objections:
        return Allow()
    tightest = max(objections, key=_tightness)
    others = tuple(f"{one.guardrail}: {one.reason}" for one in objections if one is not tightest)
    return replace(tightest, also=others)


def _tightness(objection: Hold | Refuse) -> tuple[bool, bool, datetime]:
    until = objection.until if isinstance(objection, Hold) else None
    return isinstance(objection, Refuse), until is None, until or _LONG_AGO


def _judged(belt: Guardrail, plan: Plan, situation: Situation) -> Hold | Refuse | None:
    """What one belt says; one that stumbles holds, because nobody knows what it would have said."""
    try:
        return belt.judge(plan, situation)
    except Exception as error:
        log.exception("guardrail failed", extra={"guardrail": type(belt).__name__})
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(belt).__name__).lower()
        return Hold(guardrail=name, reason=f"could not be evaluated: {error!r:.300}")


__all__ = [
    "READS",
    "Attempt",
    "Attempts",
    "Guardrail",
    "Policy",
    "Situation",
    "StormGate",
    "guardrails",
    "guardrails_of_the_moment",
    "judge",
]
