"""Nothing is changed in a freeze."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.calendars import Freeze
from model.plans import Hold, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFreeze:
    """Holds every plan while one of the `freezes` lasts, until the last of those has ended."""

    freezes: tuple[Freeze, ...] = ()

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        del plan  # every one alike
        lasting = [freeze for freeze in self.freezes if freeze.start <= situation.now < freeze.end]
        if not lasting:
            return None
        longest = max(lasting, key=lambda freeze: freeze.end)
        return Hold(guardrail="freeze", reason=f"PATCHWRIGHT_FREEZES: {longest.text}", until=longest.end)
