"""What of the workspace only a person can put right: its link, its solution, and whose agents report elsewhere."""

from __future__ import annotations

from typing import ClassVar, Final

from model.documents import list_at
from model.facts import Facts
from model.findings import Finding
from model.resource_ids import InvalidResourceId, ResourceId
from model.states import FailureState
from remediations.advice import RETIRED, AdviceOnly, where

_LINK: Final = "az monitor log-analytics workspace linked-service"


class AdviseWorkspaceNotLinked(AdviceOnly):
    """Says which link is missing or wrong, and the command that makes it.

    Effect: none. A link decides which account manages the machines of a workspace, and making one ends another.
    Declined: always; a person links account and workspace.
    Verified: each names the other.
    Undo: nothing is changed.
    """

    __slots__ = ()
    id: ClassVar[str] = "advise-workspace-not-linked"
    fixes: ClassVar[FailureState] = FailureState.WORKSPACE_NOT_LINKED

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        workspace = facts.log_workspace
        target = workspace.arm_id if workspace else finding.target
        steps = ["account and workspace have to be linked by a person: the link decides who manages the machines"]
        other_account = str(finding.evidence.get("workspaceLinksTo") or "")
        other_workspace = str(finding.evidence.get("accountLinksTo") or "")
        if other_account and other_account != facts.account:
            steps.append(
                f"{finding.name} is linked to {other_account}: if that is right, set PATCHWRIGHT_AUTOMATION_ACCOUNTS "
                f"to it; if not, unlink it first: {_LINK} delete {_named(target)} --name Automation"
            )
        if other_workspace and other_workspace != facts.workspace:
            steps.append(
                f"The account is linked to {other_workspace}: if that is right, set PATCHWRIGHT_WORKSPACES to it; "
                f"if not, unlink it first: {_LINK} delete {_named(other_workspace)} --name Automation"
            )
        steps.append(f"Link them: {_LINK} create {_named(target)} --name Automation --resource-id {facts.account}")
        return tuple(steps)


class AdviseUpdatesSolutionMissing(AdviceOnly):
    """Says what is missing, that it was retired, and where its machines should go instead.

    Effect: none. The solution was retired on 31 August 2024; putting it back is a person's decision.
    Declined: always; a person moves the machines to Azure Update Manager, or puts the solution back.
    Verified: the solution is there and on.
    Undo: nothing is changed.
    """

    __slots__ = ()
    id: ClassVar[str] = "advise-updates-solution-missing"
    fixes: ClassVar[FailureState] = FailureState.UPDATES_SOLUTION_MISSING

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        count = finding.evidence.get("machineCount")
        machines = f"its {count} machines" if isinstance(count, int) and count else "its machines"
        name = finding.name
        if finding.evidence.get("solution"):
            workspace = facts.log_workspace
            target = workspace.arm_id if workspace else finding.target
            put_back = f"az monitor log-analytics workspace pack enable {_named(target)} --name Updates"
        else:
            put_back = f"az monitor log-analytics solution create --solution-type Updates --workspace {finding.target}"
        return (
            "agent and solution were retired on 31 August 2024, so that it is not put back by itself",
            (
                f"Move {machines} to Azure Update Manager: in the Automation account, Update management, "
                "Migrate to Azure Update Manager; schedules become maintenance configurations."
            ),
            f"Where {name} has to be kept for the time being: {put_back}",
        )


class AdviseWrongWorkspace(AdviceOnly):
    """Says which extension of which machine reports where, and how to take it away.

    Effect: none. Pointing an agent elsewhere needs the workspace's key, and ends its reports to the other one.
    Declined: always; a person decides where the machine belongs.
    Verified: the extension names this workspace only.
    Undo: nothing is changed.
    """

    __slots__ = ()
    id: ClassVar[str] = "advise-wrong-workspace"
    fixes: ClassVar[FailureState] = FailureState.WRONG_WORKSPACE

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        machine = facts.machines.get(finding.target)
        elsewhere = ", ".join(str(guid) for guid in list_at(finding.evidence, "workspaceIds"))
        expected, ours = finding.evidence.get("workspaceIdExpected"), facts.workspace.rsplit("/", 1)[-1]
        steps = [
            f"it reports to {elsewhere}, and not to {ours} ({expected}): where it belongs is for a person to say",
            RETIRED,
            (
                f"If {where(finding, facts)} belongs to {elsewhere}, leave it out here, or look after it from that "
                "workspace's own account."
            ),
        ]
        for name in list_at(finding.evidence, "extensions"):
            if machine is not None and machine.is_arc:
                command = f"az connectedmachine extension delete --machine-name {machine.name}"
            else:
                command = f"az vm extension delete --vm-name {finding.name}"
            steps.append(f"Else take the extension away: {command} {_group(finding.target)}--name {name}")
        return tuple(steps)


def _group(resource_id: str) -> str:
    try:
        id_ = ResourceId.parse(resource_id)
    except InvalidResourceId:
        return ""
    return f"--subscription {id_.subscription} --resource-group {id_.resource_group} "


def _named(workspace: str) -> str:
    """How the command line is told which workspace."""
    return f"{_group(workspace)}--workspace-name {workspace.rsplit('/', 1)[-1]}"
