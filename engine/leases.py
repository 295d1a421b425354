"""One worker at a time on a machine and on a deployment, whatever triggers meet.

A lease belongs to an attempt, not to its run: two that apply the same run exclude each other. It is renewed by every
activity of the attempt until a little after the next one is due, and while an activity lasts by a heartbeat; so it is
free minutes after its holder has vanished, and never while the holder works.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.ports import Clock, Entry, Ledger
from guardrails.reach import resources
from model.plans import Plan
from model.times import format_time

log = logging.getLogger("patchwright")

MARGIN: Final = timedelta(minutes=5)
"""How late the next activity of an attempt may be before its leases are taken for abandoned."""
BEAT: Final = timedelta(minutes=1)
SKEW: Final = timedelta(minutes=5)
"""How far the clocks of two workers may be apart."""


def lease_keys(plan: Plan) -> tuple[str, ...]:
    """What a plan needs for itself: its target, everything that it changes, and the set that it is one of."""
    found = [f"lease:{resource}" for resource in sorted(resources(plan) | {plan.finding.target})]
    return (*found, group_key(plan.group)) if plan.group else tuple(found)


def group_key(group: str) -> str:
    """The lease on a set of which one is treated at a time."""
    return f"lease:group:{group}"


def clock_went_back(entries: Iterable[Entry], now: datetime) -> str | None:
    """Why nothing can be leased now, where a run has lines from the future; None where it has none.

    A worker whose clock went back would hold leases that everybody else believes to be over.
    """
    newest = max((entry.at for entry in entries), default=now)
    if newest - now <= SKEW:
        return None
    return f"the clock went back: it is {format_time(now)}, and the ledger has a line of {format_time(newest)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """The leases of attempts, as claims of the ledger."""

    ledger: Ledger
    clock: Clock
    margin: timedelta = MARGIN
    beat: timedelta = BEAT

    def take(self, plan: Plan, attempt: str, wait: timedelta = timedelta(0)) -> str | None:
        """Take or renew the leases on everything that a plan touches, for `wait` and the margin.

        All or none. Answers the attempt that holds one of them where another does: what was taken before that one is
        given back. Another treatment of this attempt may want it as well, and takes it again before its next step.
        """
        now = self.clock.now()
        for key in lease_keys(plan):
            if (holder := self._claim(key, attempt, now, wait)) != attempt:
                self.give_back(plan, attempt)
                return holder
        return None

    def renew(self, plans: Iterable[Plan], attempt: str, wait: timedelta = timedelta(0)) -> None:
        """Keep what an attempt has, until a little after `wait`; what another one has meanwhile stays with that."""
        now = self.clock.now()
        for key in sorted({key for plan in plans for key in lease_keys(plan)}):
            self._claim(key, attempt, now, wait)

    def give_back(self, plan: Plan, attempt: str) -> None:
        """Free everything that an attempt has of what a plan touches."""
        for key in lease_keys(plan):
            self.ledger.release(key, attempt)

    @contextmanager
    def kept(self, plans: Iterable[Plan], attempt: str) -> Iterator[None]:
        """Renew the leases of plans while the block lasts, however long that is."""
        over, held = threading.Event(), tuple(plans)

        def beats() -> None:
            while not over.wait(self.beat.total_seconds()):
                try:
                    self.renew(held, attempt)
                except Exception:
                    # The next beat may come through; where none does, the lease ends and the next step is told so.
                    log.exception("lease not renewed", extra={"attempt": attempt})

        heart = threading.Thread(target=beats, name="lease", daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()

    def _claim(self, key: str, attempt: str, now: datetime, wait: timedelta) -> str:
        return self.ledger.claim(key, attempt, now, now + wait + self.margin)
