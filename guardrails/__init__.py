"""The belts, one module each. All of them judge every plan; the first that objects is the one that is named."""

from __future__ import annotations

from guardrails.blast_radius import BlastRadius
from guardrails.cool_down import CoolDown
from guardrails.exclusion_tag import ExclusionTag
from guardrails.maintenance_window import MaintenanceWindow
from guardrails.mode_of_state import ModeOfState
from guardrails.opted_in import OptedIn
from guardrails.protocol import Guardrail, Situation
from guardrails.scope import Scope
from guardrails.second_look import SecondLook
from guardrails.update_run import UpdateRun
from model.plans import Allow, Plan, Verdict


def guardrails(
    *,
    exclude_tag: str,
    max_machines: int,
    max_percent: int = 100,
    optional: frozenset[str] = frozenset(),
    opted_in: frozenset[str] = frozenset(),
    in_window: frozenset[str] = frozenset(),
) -> tuple[Guardrail, ...]:
    """Every guardrail; those that only a person can satisfy come first.

    `optional` and `in_window` are ids of remediations: off until `opted_in`, and for maintenance windows only.
    """
    return (
        Scope(),
        ExclusionTag(tag=exclude_tag),
        ModeOfState(),
        OptedIn(optional=optional, chosen=opted_in),
        SecondLook(),
        CoolDown(),
        UpdateRun(),
        MaintenanceWindow(inside=in_window),
        BlastRadius(machines=max_machines, percent=max_percent),
    )


def judge(plan: Plan, situation: Situation, belts: tuple[Guardrail, ...]) -> Verdict:
    """The first objection, or Allow."""
    return next((objection for belt in belts if (objection := belt.judge(plan, situation))), Allow())


__all__ = ["Guardrail", "Situation", "guardrails", "judge"]
