"""What a plan reaches."""

from __future__ import annotations

from dataclasses import dataclass

from model.deployments import concerns_all
from model.documents import list_at
from model.facts import ARC_MACHINE_TYPE, VIRTUAL_MACHINE_TYPE, Deployment, Facts, Reading
from model.plans import (
    AwaitIdentity,
    Plan,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
)
from model.resource_ids import InvalidResourceId, ResourceId, subscription_of


def resources(plan: Plan) -> frozenset[str]:
    """Lower-case resource ids that the plan's steps change."""
    found: set[str] = set()
    for step in plan.steps:
        match step:
            case PutDeployment():
                found.add(step.deployment.lower())
            case PutSavedSearch():
                found.add(step.saved_search.lower())
            case RunScript() | StartMachine():
                found.add(step.machine.lower())
            case RegisterProvider():
                found.add(f"/subscriptions/{step.subscription}")
            case SetDailyQuota():
                found.add(step.workspace.lower())
            case AwaitIdentity():
                pass
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The machines that a plan reaches. Finding them takes a walk through the inventory, so that it is done once."""

    machines: frozenset[str]
    """Lower-case resource ids; `name:<computer>` for one that a deployment knows by its computer name only."""
    unseen: str | None
    """In words, what of them the inventory does not tell; None where it tells of all."""

    @classmethod
    def of(cls, plan: Plan, facts: Facts) -> Reach:
        edited = _edited(plan, facts)
        machines = _machines(plan, edited, facts)
        return cls(machines=machines, unseen=_unseen(machines, edited, facts))


def _machines(plan: Plan, edited: tuple[Deployment, ...], facts: Facts) -> frozenset[str]:
    """The machines whose patching the plan changes: those that are repaired, or all that an edited deployment patches.

    An edit that only takes a machine out of a list or puts one in reaches that machine; one that is newly named counts
    wherever it is. A dynamic query counts as every machine of the inventory that lies in its scope and has the
    deployment's operating system: as many as it may select.
    """
    target = plan.finding.target
    found = {step.machine.lower() for step in plan.steps if isinstance(step, RunScript | StartMachine)}
    if _is_machine(target):
        found.add(target)
    found.update(*(_newly_named(step) for step in plan.steps if isinstance(step, PutDeployment)))
    for deployment in edited:
        found.update(deployment.azure_machines)
        found.update(f"name:{computer.lower()}" for computer in deployment.computer_names)
        found.update(_selectable(deployment, facts))
    return frozenset(found)


def _unseen(machines: frozenset[str], edited: tuple[Deployment, ...], facts: Facts) -> str | None:
    scopes = frozenset(scope for deployment in edited for scope in deployment.query_scopes)
    reached = frozenset(machine for machine in machines if not machine.startswith("name:"))
    if (reached or scopes) and (gap := facts.missing(Reading.MACHINES)):
        return f"the machines could not be read: {gap.what}"
    return next(
        (f"{id_} is outside the inventory" for id_ in sorted(reached | scopes) if not _is_inventoried(id_, facts)), None
    )


def _edited(plan: Plan, facts: Facts) -> tuple[Deployment, ...]:
    """The deployments that the plan changes for all whom they patch; one that it is about, unless scripts mend it."""
    ids = {
        step.deployment.lower()
        for step in plan.steps
        if isinstance(step, PutDeployment) and concerns_all(step.before, step.after)
    }
    if not plan.steps or any(not isinstance(step, RunScript | AwaitIdentity) for step in plan.steps):
        ids.add(plan.finding.target)
    return tuple(facts.deployments[id_] for id_ in sorted(ids) if id_ in facts.deployments)


def _newly_named(step: PutDeployment) -> frozenset[str]:
    before, after = (
        {str(vm).lower() for vm in list_at(body, "properties.updateConfiguration.azureVirtualMachines")}
        for body in (step.before, step.after)
    )
    return frozenset(after - before)


def _selectable(deployment: Deployment, facts: Facts) -> frozenset[str]:
    scopes = tuple(f"{scope.rstrip('/')}/" for scope in deployment.query_scopes)
    return frozenset(
        id_
        for id_, machine in facts.machines.items()
        if f"{id_}/".startswith(scopes) and machine.os.lower() in {deployment.operating_system.lower(), ""}
    )


def _is_machine(target: str) -> bool:
    try:
        parsed = ResourceId.parse(target)
    except InvalidResourceId:
        return False
    return parsed.is_type(VIRTUAL_MACHINE_TYPE) or parsed.is_type(ARC_MACHINE_TYPE)


def _is_inventoried(id_: str, facts: Facts) -> bool:
    try:
        return subscription_of(id_) in facts.subscriptions
    except InvalidResourceId:
        return False
