"""Put a machine into the scope of Update Management."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, PutSavedSearch, Settle
from model.resource_ids import vm_ids
from model.scope_queries import scope_query
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToScope:
    """Add the machine's VM id, as its agent spells it, to the saved search that is the scope.

    Effect: one PUT under the saved search's ETag; every other character of the query stays. The machine is given the
    Updates solution, and deployments that select by group may patch it from then on.
    Declined: the machine's beats do not name its VM; the query has no list of VM ids to add to.
    Risk: who is in the scope is patched: somebody may have left the machine out on purpose.
    Verified: the machine beats with the solution, or is in the scope.
    Undo: PUT the saved search from before.
    """

    id: ClassVar[str] = "add-to-scope"
    fixes: ClassVar[FailureState] = FailureState.SCOPE_EXCLUDED
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = frozenset({"Microsoft.OperationalInsights/workspaces/savedSearches/write"})
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.SAVED_SEARCHES})

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        scope, vm_id = scope_query(facts.saved_searches), str(finding.evidence.get("vmUuid") or "")
        if scope is None:
            return declined(finding, self.id, "there is no scope query any more, so that no machine is left out")
        # It goes into the text of a query: nothing but a GUID may.
        if not vm_ids(vm_id):
            return declined(finding, self.id, "its beats do not say which VM it is", *self._by_hand(finding, ""))
        query = scope.with_vm_id(vm_id)
        if query is None:
            return declined(finding, self.id, "the scope query has no list of VM ids", *self._by_hand(finding, vm_id))
        after = copy.deepcopy(scope.search.document)
        properties = after["properties"]
        assert isinstance(properties, dict)  # noqa: S101 - the query was found in it
        properties["query"] = query
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{finding.name} reports to the workspace and is given the solution once the scope names it.",
            steps=(PutSavedSearch(saved_search=scope.search.arm_id, before=scope.search.document, after=after),),
            settle=Settle(after=timedelta(minutes=30), why="the solution reaches the agent within minutes"),
            risk=f"{finding.name} may be patched from then on; somebody may have left it out on purpose.",
            # One edit of the search at a time, each made from what the one before it left.
            group=f"scope-of:{facts.workspace}",
        )

    def _by_hand(self, finding: Finding, vm_id: str) -> tuple[str, ...]:
        entry = f'"{vm_id}" (its VM id)' if vm_id else f"the VM id of {finding.name} as its agent reports it"
        return (
            (
                f"Add {entry} to the saved search MicrosoftDefaultComputerGroup, category Updates, of the workspace, "
                "or leave it out if it is not to be patched."
            ),
        )
