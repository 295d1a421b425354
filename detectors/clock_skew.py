"""X8: the machine's clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors.protocol import unreadable
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.resource_ids import vm_ids
from model.states import FailureState
from model.times import format_time, in_words, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew:
    """A machine's clock is so far ahead that the service refuses what it signs.

    Looks like: registration and jobs end with 403; heartbeats of a time that has not come yet.
    Evidence: the newest beat is stamped more than `tolerance` after the time of the reading. The machine is at least as
    far ahead as that.
    Healthy: no beat lies in the future. A clock that is behind is not seen so: its beats look as if they came late.
    Unknown: the heartbeats could not be read; the beat's VM id is not the machine's, or missing.
    Source: hybrid runbook worker article, 403 during registration: a clock off by more than 15 minutes (X8).
    """

    finds: ClassVar[FailureState] = FailureState.CLOCK_SKEW
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"clock-skew"})
    tolerance: timedelta = timedelta(minutes=15)
    """What the service forgives."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        for row in sorted(facts.rows.get("clock-skew", ()), key=lambda row: str(row.get("MachineId"))):
            machine, stamped = facts.machines.get(str(row.get("MachineId"))), parse_time(row.get("Stamped"))
            if machine is None or stamped is None or stamped - facts.now <= self.tolerance:
                continue
            spellings = vm_ids(str(row.get("VmId")))
            if not machine.vm_id or not spellings:
                missing = "the VM's own id, in the inventory and in its heartbeats"
                yield Unknown(state=self.finds, target=machine.id, missing=missing)
            elif machine.vm_id in spellings:
                ahead = stamped - facts.now
                yield Finding(
                    state=self.finds,
                    target=machine.id,
                    name=machine.name,
                    reason=f"it beats {in_words(ahead)} ahead of the time",
                    evidence={
                        "computer": row.get("Computer"),
                        "stamped": format_time(stamped),
                        "aheadSeconds": int(ahead.total_seconds()),
                    },
                )
            # Else the beat is of the VM that had this resource id before it was built anew.
