"""Whether anything may be changed now: the lock of the whole app, and the kill switch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from engine.pausing import KillSwitch
from engine.ports import AzureUnavailable, LedgerUnreadable, PermissionMissing
from engine.settings import Settings
from model.states import FailureState

LOCKED: Final = "DRY_RUN is set: the app is locked, and nothing can be applied"
_STATE: Final[ContextVar[FailureState | None]] = ContextVar("treating", default=None)
"""The state of the treatment whose step is at the writer's door: it may be paused by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """Asked before every single write."""

    settings: Settings
    switch: KillSwitch

    def may_write(self, state: FailureState | None = None) -> str | None:
        """Why nothing may be changed now, or None where it may. Asked again before every single write.

        `state` is what the change is for; inside a step it is known without being told.
        """
        if self.settings.dry_run:
            return LOCKED
        try:
            pause = self.switch.stops(state or _STATE.get())
        except (AzureUnavailable, LedgerUnreadable, PermissionMissing) as error:
            return f"whether the app is paused cannot be told: {error}"
        return str(pause) if pause else None

    def may_apply(self, states: Collection[FailureState]) -> str | None:
        """Why nothing of all this can be applied now, or None where something can."""
        forbidden = [self.may_write(state) for state in states] or [self.may_write()]
        return forbidden[0] if all(forbidden) else None

    @contextmanager
    def treating(self, state: FailureState) -> Iterator[None]:
        """What is written in here, by this thread, is for this state."""
        token = _STATE.set(state)
        try:
            yield
        finally:
            _STATE.reset(token)
