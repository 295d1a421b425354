"""What a plan reaches."""

from __future__ import annotations

from model.facts import Facts
from model.plans import AwaitIdentity, Plan, PutDeployment, PutSavedSearch, RegisterProvider, RunScript


def resources(plan: Plan) -> frozenset[str]:
    """Lower-case resource ids that the plan's steps change."""
    found: set[str] = set()
    for step in plan.steps:
        match step:
            case PutDeployment():
                found.add(step.deployment.lower())
            case PutSavedSearch():
                found.add(step.saved_search.lower())
            case RunScript():
                found.add(step.machine.lower())
            case RegisterProvider():
                found.add(f"/subscriptions/{step.subscription}")
            case AwaitIdentity():
                pass
    return frozenset(found)


def machines(plan: Plan, facts: Facts) -> frozenset[str]:
    """The machines whose patching the plan changes: the one that is repaired, or all that a deployment names."""
    if plan.finding.target in facts.machines:
        return frozenset({plan.finding.target})
    deployment = facts.deployments.get(plan.finding.target)
    return frozenset(deployment.azure_machines) if deployment else frozenset()
