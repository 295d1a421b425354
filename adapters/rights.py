"""What reading needs to be allowed, action by action; the reader's role is made from this and from nothing else.

`tests/adapters/test_rights.py` holds it against every request that a sweep of the simulated Azure sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from model.facts import Reading

_ACCOUNT: Final = "Microsoft.Automation/automationAccounts"
_WORKSPACE: Final = "Microsoft.OperationalInsights/workspaces"
_GRAPH: Final = "Microsoft.ResourceGraph/resources/read"

READS: Final[Mapping[Reading, frozenset[str]]] = {
    # Resource Graph answers with what the caller may read, and says nothing of the rest.
    Reading.MACHINES: frozenset(
        {
            _GRAPH,
            "Microsoft.Compute/virtualMachines/read",
            "Microsoft.Compute/virtualMachines/instanceView/read",
            "Microsoft.HybridCompute/machines/read",
        }
    ),
    Reading.DEPLOYMENTS: frozenset({f"{_ACCOUNT}/softwareUpdateConfigurations/read"}),
    Reading.RUNS: frozenset({f"{_ACCOUNT}/softwareUpdateConfigurationRuns/read"}),
    Reading.MACHINE_RUNS: frozenset({f"{_ACCOUNT}/softwareUpdateConfigurationMachineRuns/read"}),
    Reading.JOB_OUTPUTS: frozenset({f"{_ACCOUNT}/jobs/output/read", f"{_ACCOUNT}/jobs/streams/read"}),
    Reading.USER_WORKERS: frozenset(
        {
            f"{_ACCOUNT}/hybridRunbookWorkerGroups/read",
            f"{_ACCOUNT}/hybridRunbookWorkerGroups/hybridRunbookWorkers/read",
        }
    ),
    Reading.SYSTEM_GROUPS: frozenset({f"{_ACCOUNT}/hybridRunbookWorkerGroups/read"}),
    Reading.JOBS: frozenset({f"{_ACCOUNT}/jobs/read", f"{_ACCOUNT}/usages/read"}),
    Reading.SAVED_SEARCHES: frozenset({f"{_WORKSPACE}/savedSearches/read"}),
    Reading.WORKSPACE: frozenset(
        {
            f"{_WORKSPACE}/read",
            f"{_WORKSPACE}/linkedServices/read",
            f"{_WORKSPACE}/intelligencePacks/read",
            f"{_ACCOUNT}/linkedWorkspace/read",
            "Microsoft.OperationsManagement/solutions/read",
        }
    ),
    Reading.AGENTS: frozenset(
        {
            _GRAPH,
            "Microsoft.Compute/virtualMachines/extensions/read",
            "Microsoft.HybridCompute/machines/extensions/read",
        }
    ),
    Reading.DYNAMIC_GROUPS: frozenset(
        {
            _GRAPH,
            "Microsoft.Compute/virtualMachines/read",
            "Microsoft.HybridCompute/machines/read",
            f"{_ACCOUNT}/softwareUpdateConfigurationMachineRuns/read",
        }
    ),
    Reading.CONTAINERS: frozenset(
        {_GRAPH, "Microsoft.Resources/subscriptions/read", "Microsoft.Resources/subscriptions/resourceGroups/read"}
    ),
    Reading.PROVIDERS: frozenset({"Microsoft.Resources/subscriptions/providers/read"}),
    Reading.SUBSCRIPTIONS: frozenset({"Microsoft.Resources/subscriptions/read"}),
}
"""Every reading with the actions of the requests that it sends."""

LOOKS_CLOSER: Final = frozenset(
    {
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.HybridCompute/machines/read",
        "Microsoft.OperationsManagement/solutions/read",
        f"{_ACCOUNT}/read",
        f"{_ACCOUNT}/hybridRunbookWorkerGroups/hybridRunbookWorkers/read",
        f"{_ACCOUNT}/softwareUpdateConfigurations/read",
        f"{_WORKSPACE}/read",
        f"{_WORKSPACE}/savedSearches/read",
    }
)
"""The full documents that detectors and remediations ask for by id, and what `GET /api/health` looks at."""

RUN_COMMANDS: Final = frozenset(
    {
        "Microsoft.Compute/virtualMachines/runCommands/read",
        "Microsoft.HybridCompute/machines/runCommands/read",
    }
)
"""The second look of whoever sends a script: whether it was sent already, and what it answered."""

PROBES: Final = frozenset(
    f"{machine}/runCommands/{verb}"
    for machine in ("Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines")
    for verb in ("write", "delete")
)
"""What looking into machines needs beyond reading; the transport lets nothing out but the diagnosis."""

_TABLE: Final = re.compile(r"^ *([A-Z]\w*) *$(?=\n *\|)|\( *([A-Z]\w*) *\|", re.MULTILINE)


def querying(queries: Iterable[str]) -> frozenset[str]:
    """What the KQL in `queries` needs: the right to ask, and one for each table, so that no other can be read."""
    tables = {table for query in queries for table in tables_of(query)}
    return frozenset({f"{_WORKSPACE}/query/read", *(f"{_WORKSPACE}/query/{table}/read" for table in tables)})


def tables_of(query: str) -> frozenset[str]:
    """The tables that one of our queries reads: a name with a capital alone on its line, or first in a bracket."""
    return frozenset(alone or bracketed for alone, bracketed in _TABLE.findall(query))
