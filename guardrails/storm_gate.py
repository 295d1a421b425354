"""Where a large part of the estate is unhealthy at once, the cause is elsewhere: look, do not touch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from guardrails.protocol import Situation
from model.facts import Reading
from model.findings import Finding
from model.plans import Hold, Plan
from model.states import FailureState
from model.times import in_words

SYMPTOMS: Final = frozenset(
    {
        FailureState.FAILED_TO_ENABLE_UPDATE_SOLUTION,
        FailureState.HYBRID_AGENT_EVENT_4502,
        FailureState.LINUX_WORKER_CONFLICT,
        FailureState.REGISTRATION_BLOCKED,
        FailureState.WORKER_JOB_LIMIT_REACHED,
        FailureState.WORKER_REGISTRATION_FORBIDDEN,
        FailureState.WORKER_SIGNALR_TIMEOUT,
        FailureState.WRONG_WORKSPACE,
    }
)
"""What only a person mends, and an outage looks like: the service does not reach a machine, or it takes no jobs."""
LASTING: Final = frozenset({FailureState.KB2267602_MISSING})
"""What has a repair, and says nothing of the machine's health: its definitions are old, all else on it works."""
BLINDING: Final = frozenset(
    {
        FailureState.WORKSPACE_OVER_QUOTA,
        FailureState.WORKSPACE_NOT_LINKED,
        FailureState.UPDATES_SOLUTION_MISSING,
    }
)
"""States of a workspace that stand for those of its machines; the evidence counts them."""


def unhealthy(findings: Iterable[Finding], mendable: Collection[FailureState]) -> frozenset[str]:
    """The targets of findings that make a machine unhealthy.

    `mendable` are the states that a remediation may change something about, of class `auto` or `opt`. A state that only
    a person can end lasts as long as nobody does, and counted, it would keep the gate shut all that time.
    """
    counted = (SYMPTOMS | frozenset(mendable)) - LASTING
    return frozenset(finding.target for finding in findings if finding.state in counted)


def behind(findings: Iterable[Finding]) -> dict[str, int | None]:
    """How many machines are silent or not assessed for what a workspace suffers from, by that finding's key."""
    counts = {f.key: f.evidence.get("machineCount") for f in findings if f.state in BLINDING}
    return {key: count if isinstance(count, int) else None for key, count in counts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StormGate:
    """Holds everything while more than `percent` of the machines are unhealthy, and for the `cool_down` after it.

    Unhealthy is a machine with a finding that `unhealthy` counts, of the states that were looked for, and one that is
    silent or not assessed for the state of its workspace. One machine alone is no storm, however small the estate.
    The repair of a workspace is not held for the machines that it would make well: it is the cause elsewhere.
    """

    percent: int
    cool_down: timedelta

    def storm(self, unhealthy: int, machines: int) -> bool:
        """Whether so many of the machines being unhealthy is one."""
        return unhealthy > 1 and unhealthy * 100 > self.percent * machines

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        facts = situation.facts
        if gap := facts.missing(Reading.MACHINES):
            return Hold(guardrail="storm-gate", reason=f"how many machines are unhealthy is unknown: {gap.what}")
        others = {key: count for key, count in situation.behind.items() if key != plan.finding.key}
        counts = [len(situation.unhealthy), *(count for count in others.values() if count is not None)]
        # At least so many: the same machine may be among several of them.
        unhealthy, machines = max(counts), len(facts.machines)
        if self.storm(unhealthy, machines):
            reason = f"{unhealthy} of {machines} machines are unhealthy, which is more than {self.percent} %"
            return Hold(guardrail="storm-gate", reason=reason, until=situation.now + self.cool_down)
        if None in others.values():
            reason = "how many machines are unhealthy is unknown: a workspace's state could not be seen in them"
            return Hold(guardrail="storm-gate", reason=reason)
        is_the_cause = bool(situation.behind.get(plan.finding.key))
        if situation.storm_ends and situation.now < situation.storm_ends and not is_the_cause:
            reason = (
                f"more than {self.percent} % of the machines were unhealthy less than {in_words(self.cool_down)} ago"
            )
            return Hold(guardrail="storm-gate", reason=reason, until=situation.storm_ends)
        return None
