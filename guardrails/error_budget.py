"""A run that goes wrong stops by itself."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.plans import Hold, Plan


def admits(*, failures: int, in_flight: int, budget: int) -> bool:
    """Whether one more treatment may begin: not even all in flight failing takes the run beyond its budget."""
    return failures + in_flight < budget


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """Holds what a run has left to do once `most` of its treatments failed, or may still fail.

    What is in flight counts as a failure until it is known not to be one, so that no number of workers exceeds it.
    """

    most: int

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        del plan  # every one alike
        if admits(failures=situation.failures, in_flight=situation.in_flight, budget=self.most):
            return None
        reason = (
            f"{situation.failures} treatments of this run failed and {situation.in_flight} may still fail; "
            f"it stops at {self.most} (PATCHWRIGHT_ERROR_BUDGET)"
        )
        return Hold(guardrail="error-budget", reason=reason)
