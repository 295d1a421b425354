"""S1, cause wrong-workspace: the agent on the machine was pointed at another workspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.protocol import unreadable
from model.facts import AgentExtension, Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongWorkspace:
    """A machine's agent reports to a workspace that the Automation account does not look into.

    Looks like: the machine is missing from the account's list; its agent is healthy.
    Evidence: the machine's extension `MicrosoftMonitoringAgent` or `OmsAgentForLinux` has another
    `settings.workspaceId` than this workspace's `customerId`. Two workspaces at once (multihoming) are one case of it,
    because Update Management does not support that.
    Healthy: the extension names this workspace only; there is no such extension; it is a machine of another scope.
    Unknown: the extension's settings do not say.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1), wrong workspace.
    """

    finds: ClassVar[FailureState] = FailureState.WRONG_WORKSPACE
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES, Reading.AGENTS, Reading.WORKSPACE})
    queries: ClassVar[frozenset[str]] = frozenset()

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        ours = facts.log_workspace.guid if facts.log_workspace else ""
        if not ours:
            yield Unknown(state=self.finds, target="", missing="the workspace's customerId")
            return
        agents: dict[str, list[AgentExtension]] = {}
        for agent in facts.agents:
            agents.setdefault(agent.machine_id, []).append(agent)
        for machine_id, extensions in sorted(agents.items()):
            machine = facts.machines.get(machine_id)
            if machine is None:
                continue
            foreign = [agent for agent in extensions if agent.workspace_guid not in {"", ours}]
            if foreign:
                both = any(agent.workspace_guid == ours for agent in extensions)
                guids = sorted({agent.workspace_guid for agent in foreign})
                yield Finding(
                    state=self.finds,
                    target=machine_id,
                    name=machine.name,
                    reason=f"its agent reports to {', '.join(guids)}{' as well' if both else ' instead'}",
                    evidence={
                        "workspaceIds": [*guids],
                        "workspaceIdExpected": ours,
                        "extensions": [*sorted(agent.name for agent in foreign)],
                        "multihomed": both or len(guids) > 1,
                    },
                )
            elif any(not agent.workspace_guid for agent in extensions):
                missing = "the workspaceId in the settings of its agent's extension"
                yield Unknown(state=self.finds, target=machine_id, missing=missing)
