"""How far the operator lets a failure state go."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.plans import Hold, Plan
from model.states import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeOfState:
    """Holds what the state's mode does not let happen: `act` acts, `ask` needs a person, everything else only looks."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        state = plan.finding.state.value
        match situation.mode:
            case Mode.ACT:
                return None
            case Mode.ASK if situation.by_person:
                return None
            case Mode.ASK:
                return Hold(guardrail="mode", reason=f"{state} is in mode ask: a person has to apply the plan")
            case Mode.OBSERVE | Mode.OFF:
                why = f"{state} is in mode {situation.mode.value}; PATCHWRIGHT_MODES sets it to ask or act"
                return Hold(guardrail="mode", reason=why)
