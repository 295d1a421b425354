"""Changes are made when the operator says that changes are made."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.calendars import ChangeWindow, opens_at
from model.plans import Hold, Plan
from model.times import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class InChangeWindow:
    """Holds every plan outside all `windows`, until the next one opens; without windows, any time will do.

    A treatment that was begun inside a window is finished after it: half a change is worse than a late one.
    """

    windows: tuple[ChangeWindow, ...] = ()

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        del plan  # every one alike
        if not self.windows:
            return None
        opens = opens_at(self.windows, situation.now)
        if opens is not None and opens <= situation.now:
            return None
        when = f"the next one opens {format_time(opens)}" if opens else "none opens within a week"
        return Hold(guardrail="change-window", reason=f"outside PATCHWRIGHT_CHANGE_WINDOWS: {when}", until=opens)
