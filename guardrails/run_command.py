"""One script at a time on a machine, whoever sent it."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.documents import Document, list_at, text_at
from model.facts import run_commands_of
from model.plans import Hold, Plan, RunScript

UNDER_WAY = frozenset({"pending", "running"})
"""Execution states of a run command that has not ended."""
_PROVISIONING = frozenset({"creating", "updating"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRunCommand:
    """Holds a plan that sends a script to a machine on which a run command is under way, or that could not be asked."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        facts = situation.facts
        for machine in sorted({step.machine.lower() for step in plan.steps if isinstance(step, RunScript)}):
            listed = run_commands_of(machine)
            if gap := facts.missing(listed):
                return Hold(
                    guardrail="run-command", reason=f"whether a run command is under way is unknown: {gap.what}"
                )
            if listed not in facts.documents:
                return Hold(guardrail="run-command", reason="whether a run command is under way was not read")
            for command in list_at(facts.documents[listed], "value"):
                if isinstance(command, dict) and _is_under_way(command):
                    return Hold(
                        guardrail="run-command", reason=f"the run command {text_at(command, 'name')} is under way on it"
                    )
        return None


def _is_under_way(command: Document) -> bool:
    state = text_at(command, "properties.instanceView.executionState").lower()
    # Before Azure has handed it to the machine there is no execution state.
    return state in UNDER_WAY or (
        not state and text_at(command, "properties.provisioningState").lower() in _PROVISIONING
    )
