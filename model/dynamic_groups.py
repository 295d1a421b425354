"""Which machines a deployment's dynamic queries select, now or at an earlier time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from model.facts import Deployment, DynamicQuery, Facts, Machine, PowerState, ResourceChange, UpdateRun
from model.runs import UNDER_WAY, newest_runs

_POWER: Final = "properties.extended.instanceview.powerstate.code"
_POWERS: Final = {f"powerstate/{power.value}": power for power in PowerState}


def selects(deployment: Deployment, machine: Machine) -> bool:
    """True where one of the deployment's queries selects the machine.

    Only Azure VMs of the deployment's system are looked at. Without a scope a query selects nothing; without locations
    or tags those do not matter. Names and values of tags have no case.
    """
    if machine.is_arc or not machine.os or machine.os != deployment.operating_system:
        return False
    return any(_fits(query, machine) for query in deployment.queries)


def _fits(query: DynamicQuery, machine: Machine) -> bool:
    if not f"{machine.id}/".startswith(tuple(f"{scope.rstrip('/')}/" for scope in query.scopes)):
        return False
    if query.locations and _place(machine.location) not in query.locations:
        return False
    tags = {name.lower(): value.lower() for name, value in machine.tags.items()}
    tests = [tags.get(name) in values for name, values in query.tags.items()]
    return not tests or (all(tests) if query.all_tags else any(tests))


def _place(location: str) -> str:
    return location.lower().replace(" ", "")


def selected(deployment: Deployment, machines: Iterable[Machine]) -> frozenset[str]:
    """Ids of the machines that the deployment's queries select, but for those that it names anyway."""
    found = frozenset(machine.id for machine in machines if deployment.queries and selects(deployment, machine))
    return found - frozenset(deployment.azure_machines)


def newest_dynamic_runs(facts: Facts) -> Mapping[str, UpdateRun]:
    """The newest run of each deployment with queries that still is as it was then, by the deployment's id; ended."""
    newest = newest_runs(facts)
    return {
        id_: run
        for id_, deployment in facts.deployments.items()
        if deployment.queries
        and (run := next(iter(newest.by_deployment.get(id_, ())), None))
        and run.status not in UNDER_WAY
        and run.start
        and (deployment.last_modified is None or deployment.last_modified < run.start)
    }


def called_too_few(deployment: Deployment, run: UpdateRun, wanted: frozenset[str]) -> bool:
    """True where a run had fewer machines than the deployment names and selects today, or does not say how many."""
    named = len(deployment.azure_machines) + len(deployment.computer_names)
    return bool(wanted) and (run.computer_count is None or run.computer_count < len(wanted) + named)


def at_time(machine: Machine, changes: Iterable[ResourceChange], then: datetime) -> Machine | None:
    """The machine as it was, with all that changed since taken back; None where it did not exist yet."""
    tags, location, power = dict(machine.tags), machine.location, machine.power
    for change in sorted(changes, key=lambda one: one.at, reverse=True):
        if change.at <= then:
            break
        if change.kind == "create":
            return None
        for path, before in change.before.items():
            where = path.lower()
            if where.startswith("tags."):
                name = path[len("tags.") :]
                for known in [known for known in tags if known.lower() == name.lower()]:
                    del tags[known]
                if before:
                    tags[name] = before
            elif where == "location":
                location = before or location
            elif where == _POWER:
                power = _POWERS.get(before.lower(), PowerState.UNKNOWN)
    return replace(machine, tags=tags, location=location, power=power)


def may_answer(machine: Machine) -> bool:
    """False for a machine that is off: it has no worker that answers, whatever a query selects."""
    return machine.power is PowerState.RUNNING
