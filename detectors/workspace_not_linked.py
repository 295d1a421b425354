"""S1, cause workspace-not-linked: account and workspace do not name each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.workspace_causes import AFFECTED, READS, affected, is_linked
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceNotLinked:
    """The Automation account is linked to no workspace, or to another one than the machines report to.

    Looks like: no machine of the workspace is in the account's list.
    Evidence: `linkedWorkspace` of the account, or the workspace's linked service `Automation`, is empty or names
    another one. The machines that are silent or not assessed are counted, and not treated one by one.
    Healthy: each names the other, in whatever spelling.
    Unknown: either side could not be read.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1), linked workspace.
    """

    finds: ClassVar[FailureState] = FailureState.WORKSPACE_NOT_LINKED
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.MACHINES}
    queries: ClassVar[frozenset[str]] = AFFECTED

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        workspace = facts.log_workspace
        if (gap := facts.missing(*READS)) or workspace is None:
            yield Unknown(state=self.finds, target="", missing=gap.what if gap else "the workspace")
            return
        if is_linked(facts, workspace):
            return
        sides = [
            f"the account is linked to {workspace.account_links_to or 'no workspace'}"
            if workspace.account_links_to != facts.workspace
            else "",
            f"the workspace is linked to {workspace.linked_account or 'no account'}"
            if workspace.linked_account != facts.account
            else "",
        ]
        yield Finding(
            state=self.finds,
            target=facts.workspace,
            name=workspace.name,
            reason="; ".join(side for side in sides if side),
            evidence={
                "account": facts.account,
                "accountLinksTo": workspace.account_links_to or None,
                "workspaceLinksTo": workspace.linked_account or None,
                **affected(facts),
            },
        )
