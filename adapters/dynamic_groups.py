"""What became of machines that dynamic queries select: a few requests for the suspects, none where there are none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Final

from adapters import graph, parsing
from adapters.arm import Arm
from engine.ports import AzureUnavailable
from model.documents import text_at
from model.facts import Machine, Reading, ResourceChange
from model.resource_ids import vm_ids

MACHINES_A_QUERY: Final = 200
"""How many ids stand in one query: some 30 kB."""
MOST_MACHINES: Final = 2_000
"""More machines than these are not looked after; a query that selects so many in vain has one cause for all."""
RESTS_ON: Final = frozenset({Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS})
"""Without these nobody can tell whom a query selects, or whom a run called."""
AGENTS: Final = "group-agents"
"""The name of the answer of Log Analytics."""


def targets_of(arm: Arm, account: str, run: str) -> frozenset[str]:
    """Lower-case targets of all machine runs of a run, however they ended.

    Raises:
        NotFound, PermissionMissing, AzureUnavailable: as `Arm.get`.
    """
    # The service wants this GUID without quotes, so nothing else may stand there.
    if not vm_ids(run):
        raise AzureUnavailable(f"the run {run!r:.60} does not say under which id its machine runs are")
    wanted = {"$filter": f"properties/correlationId eq {run}"}
    documents = arm.all_of(f"{account}/softwareUpdateConfigurationMachineRuns", wanted)
    return frozenset(text_at(document, "properties.targetComputer").lower() for document in documents)


def changes_of(
    arm: Arm, machines: Iterable[Machine], subscriptions: Sequence[str]
) -> dict[str, tuple[ResourceChange, ...]]:
    """What changed of the machines, as far back as Resource Graph remembers. Raises as `targets_of`."""
    found: dict[str, list[ResourceChange]] = {}
    for some in batched(sorted(machine.id for machine in machines), MACHINES_A_QUERY, strict=False):
        for row in graph.rows(arm, with_ids(graph.kql("changes"), some), subscriptions):
            if change := parsing.change(row):
                found.setdefault(text_at(row, "machine"), []).append(change)
    return {machine: tuple(changes) for machine, changes in found.items()}


def agents_queries(machines: Iterable[Machine]) -> list[str]:
    """Queries for the identities under which the machines beat."""
    ordered = sorted(machines, key=lambda machine: machine.id)
    return [
        with_ids(
            graph.kql("group-agents.log"),
            [machine.id for machine in some],
            sorted({spelling for machine in some for spelling in vm_ids(machine.vm_id)}),
        )
        for some in batched(ordered, MACHINES_A_QUERY, strict=False)
    ]


def with_ids(query: str, *lists: Sequence[str]) -> str:
    """A query with lists in the place of its first lines. Ids go in as JSON within `dynamic`, never as its text."""
    lines = query.split("\n")
    for number, values in enumerate(lists):
        name, _, _ = lines[number].partition(" = ")
        lines[number] = f"{name} = dynamic({json.dumps(list(values))});"
    return "\n".join(lines)
