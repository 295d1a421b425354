"""Let a workspace take more in for a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, LogWorkspace, Reading
from model.findings import Finding
from model.plans import Declined, Plan, SetDailyQuota, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseDailyCap:
    """Raise the workspace's daily cap by `step_gb`, never above `ceiling_gb`, and never take it away.

    Effect: one PATCH of `workspaceCapping.dailyQuotaGb`; the workspace takes data in again within the hour. What was
    sent while it did not is lost.
    Declined: the cap is at `PATCHWRIGHT_QUOTA_CEILING_GB` or above; there is no cap; the workspace is of the free tier,
    or is stopped for another reason than its cap.
    Risk: what is taken in is paid for, on every later day as well.
    Verified: the workspace takes data in.
    Undo: PATCH the cap from before.
    """

    id: ClassVar[str] = "raise-daily-cap"
    fixes: ClassVar[FailureState] = FailureState.WORKSPACE_OVER_QUOTA
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = frozenset({"Microsoft.OperationalInsights/workspaces/write"})
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.WORKSPACE})
    step_gb: float = 1
    ceiling_gb: float = 5

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        workspace = facts.log_workspace
        if workspace is None:
            return declined(finding, self.id, "the workspace could not be read")
        if refusal := self._refusal(finding, workspace):
            return declined(finding, self.id, *refusal)
        before = workspace.daily_quota_gb
        assert before is not None  # noqa: S101 - `_refusal` has looked
        after = min(before + self.step_gb, self.ceiling_gb)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"With a cap of {after:g} GB in the place of {before:g} GB the workspace takes data in again today.",
            steps=(SetDailyQuota(workspace=workspace.arm_id, gb_before=before, gb_after=after),),
            settle=Settle(after=timedelta(hours=1), why="the workspace says within the hour whether it takes data in"),
            risk=f"Up to {after - before:g} GB more a day are paid for; what was sent since it stopped is lost.",
        )

    def _refusal(self, finding: Finding, workspace: LogWorkspace) -> tuple[str, ...]:
        """Why the cap is left as it is, and what a person can do; empty where it may be raised."""
        name, quota, status = workspace.name, workspace.daily_quota_gb, finding.evidence.get("dataIngestionStatus")
        if status == "subscriptionsuspended":
            return (
                "its subscription is suspended, which no cap changes",
                f"Let the subscription's owner settle its billing; {name} takes data in again by itself.",
            )
        if status == "forceoff":
            return (
                "Azure has switched its data collection off, which no cap changes",
                f"Open a support request for {name}: its dataIngestionStatus is ForceOff.",
            )
        if workspace.sku.lower() == "free":
            return (
                "it is of the free tier, which takes 500 MB a day and no more",
                (
                    f"Move {name} to the pricing tier PerGB2018: az monitor log-analytics workspace update "
                    f"--ids {workspace.arm_id} --set sku.name=PerGB2018"
                ),
            )
        if quota is None or quota <= 0:
            return ("it has no daily cap that could be raised", f"Look at the usage and the limits of {name}.")
        if quota >= self.ceiling_gb:
            return (
                f"its daily cap is {quota:g} GB already, and PATCHWRIGHT_QUOTA_CEILING_GB is {self.ceiling_gb:g}",
                (
                    f"Find out what fills {name}: Usage | where TimeGenerated > ago(1d) and IsBillable "
                    "| summarize GB = sum(Quantity) / 1000 by DataType"
                ),
                f"Or wait: the cap is reset at {finding.evidence.get('quotaNextResetTime') or 'its next reset'}.",
                "Or raise PATCHWRIGHT_QUOTA_CEILING_GB.",
            )
        return ()
