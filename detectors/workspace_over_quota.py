"""S1, cause workspace-over-quota: the workspace takes no more data in today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.workspace_causes import AFFECTED, QUERIES, READS, affected, stopped
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import format_time

_WORDS = {
    "overquota": "has reached its daily cap and takes no more data in",
    "forceoff": "has been switched off for data by Azure (ForceOff)",
    "subscriptionsuspended": "takes no data in: its subscription is suspended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceOverQuota:
    """The workspace takes no data in, so that every machine seems silent or not assessed.

    Looks like: machines that are "Not assessed" or "Disconnected" by the hundred; in the log, "Data collection stopped
    due to daily limit of free data reached. Ingestion status = OverQuota".
    Evidence: `workspaceCapping.dataIngestionStatus` is `OverQuota`, `ForceOff` or `SubscriptionSuspended`, or the
    newest row of `Operation` about data collection says `OverQuota`. The machines that are silent or not assessed
    meanwhile are counted, and not treated one by one.
    Healthy: the status is `RespectQuota`, `ForceOn` or `ApproachingQuota`, which warns and does not stop anything; the
    row is followed by "Data collection resumed", or is from before the cap was last reset.
    Unknown: workspace or `Operation` could not be read.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1), quota.
    """

    finds: ClassVar[FailureState] = FailureState.WORKSPACE_OVER_QUOTA
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.MACHINES}
    queries: ClassVar[frozenset[str]] = QUERIES | AFFECTED

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        workspace = facts.log_workspace
        if (gap := facts.missing(*READS)) or workspace is None:
            yield Unknown(state=self.finds, target="", missing=gap.what if gap else "the workspace")
            return
        stop = stopped(facts, workspace)
        if stop is None:
            if doubt := facts.missing(*QUERIES):
                yield Unknown(state=self.finds, target=facts.workspace, missing=doubt.what)
            return
        yield Finding(
            state=self.finds,
            target=facts.workspace,
            name=workspace.name,
            reason=_WORDS[stop.status],
            since=stop.since,
            evidence={
                "dataIngestionStatus": stop.status,
                "dailyQuotaGb": workspace.daily_quota_gb,
                "quotaNextResetTime": format_time(workspace.quota_resets) if workspace.quota_resets else None,
                "sku": workspace.sku,
                "operation": stop.detail or None,
                **affected(facts),
            },
        )
