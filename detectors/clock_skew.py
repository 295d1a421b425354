"""X8: the machine's clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors.complaints import QUERIES, Complaint, complaints
from detectors.inside import inside, worth_a_look
from detectors.workspace_causes import blind
from model.diagnosis import Result
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.resource_ids import vm_ids
from model.states import FailureState
from model.times import format_time, in_words, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew:
    """A machine's clock is so far off that the service refuses what it signs.

    Looks like: registration and jobs end with 403; heartbeats of a time that has not come yet.
    Evidence: the newest beat is stamped more than `tolerance` after the time of the reading: the machine is at least as
    far ahead as that. Or its clock, looked at from inside where the service refuses it with 403, is as far from that of
    the sign-in service, in either direction.
    Healthy: no beat lies in the future. A clock that is behind is not seen so: its beats look as if they came late.
    Unknown: the heartbeats could not be read; the beat's VM id is not the machine's, or missing.
    While the workspace takes no data in, who else is ahead is unknown.
    Source: hybrid runbook worker article, 403 during registration: a clock off by more than 15 minutes (X8).
    """

    finds: ClassVar[FailureState] = FailureState.CLOCK_SKEW
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"clock-skew"}) | QUERIES
    tolerance: timedelta = timedelta(minutes=15)
    """What the service forgives."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """Machines that the service refuses: a clock that is behind shows nowhere else."""
        return worth_a_look(facts, (one.target for one in _refused(facts)))

    def detect(self, facts: Facts) -> Iterator[Detection]:
        # Where nobody collects the agents' log, the beats still tell.
        if gap := facts.missing(*sorted(self.reads), "clock-skew"):
            yield Unknown(state=self.finds, target="", missing=gap.what)
            return
        if doubt := blind(self.finds, facts):
            yield doubt
        ahead = {one.target: one for one in self._ahead(facts)}
        yield from ahead.values()
        for target in dict.fromkeys(one.target for one in _refused(facts)):
            told = inside(facts, target, "clock")
            seconds = int(told.detail.removesuffix("s")) if told.detail.removesuffix("s").isdecimal() else 0
            if target in ahead or told.result is not Result.FAILED or seconds <= self.tolerance.total_seconds():
                continue
            yield Finding(
                state=self.finds,
                target=target,
                name=facts.machines[target].name,
                reason=f"its clock is {in_words(timedelta(seconds=seconds))} off",
                evidence={"offSeconds": seconds},
            )

    def _ahead(self, facts: Facts) -> Iterator[Finding | Unknown]:
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


def _refused(facts: Facts) -> Iterator[Complaint]:
    """What agents say of a registration that is forbidden, as by a clock that is wrong."""
    for complaint in complaints(facts):
        means = complaint.means
        if means and means.state is FailureState.WORKER_REGISTRATION_FORBIDDEN and complaint.target in facts.machines:
            yield complaint
