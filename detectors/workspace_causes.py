"""What of the workspace as a whole explains machines that are silent or not assessed.

The precedence, written down once: a workspace that takes no data in comes before its link, the link before the
solution, and each of them before any single machine. The detectors of machines say nothing of machines while one
of these holds: they are repaired once, on the workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from detectors.log_machines import MOST_LISTED, Reporters
from detectors.running import may_run
from model.documents import Document
from model.facts import Facts, LogWorkspace, Reading
from model.findings import Unknown
from model.states import FailureState
from model.times import parse_time

READS: Final = frozenset({Reading.WORKSPACE})
"""What `first_cause` rests on, with `QUERIES`."""
QUERIES: Final = frozenset({"ingestion-status"})
AFFECTED: Final = frozenset({"no-heartbeat", "not-assessed"})
"""What `affected` counts, where it could be read."""
_STOPPED: Final = frozenset({"overquota", "forceoff", "subscriptionsuspended"})
_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The workspace takes no data in."""

    status: str
    """In Azure's lower-case word."""
    detail: str = ""
    since: datetime | None = None


def stopped(facts: Facts, workspace: LogWorkspace) -> Stopped | None:
    """Why the workspace takes nothing in; None where it does.

    Its status and its own log are each enough. A log entry from before the cap was last reset is of a day that is over.
    """
    row = next(iter(facts.rows.get("ingestion-status", ())), {})
    detail, when = str(row.get("Detail") or ""), parse_time(row.get("TimeGenerated"))
    logged = "overquota" in detail.lower() and when is not None
    if workspace.ingestion in _STOPPED:
        return Stopped(status=workspace.ingestion, detail=detail if logged else "", since=when if logged else None)
    reset = workspace.quota_resets - _A_DAY if workspace.quota_resets else None
    if logged and when is not None and (reset is None or when >= reset or reset > facts.now):
        return Stopped(status="overquota", detail=detail, since=when)
    return None


def is_linked(facts: Facts, workspace: LogWorkspace) -> bool:
    """True where account and workspace name each other."""
    return workspace.account_links_to == facts.workspace and workspace.linked_account == facts.account


def has_updates(workspace: LogWorkspace) -> bool:
    """True where the Updates solution is installed and switched on."""
    return workspace.has_solution and workspace.pack_enabled


def first_cause(facts: Facts) -> FailureState | None:
    """The first state of the workspace that explains silent and unassessed machines; None where it is well."""
    workspace = facts.log_workspace
    if workspace is None:
        return None
    if stopped(facts, workspace):
        return FailureState.WORKSPACE_OVER_QUOTA
    if not is_linked(facts, workspace):
        return FailureState.WORKSPACE_NOT_LINKED
    return None if has_updates(workspace) else FailureState.UPDATES_SOLUTION_MISSING


def explained(state: FailureState, facts: Facts) -> Unknown | None:
    """Unknown as a whole where the workspace comes first: nothing can be told of single machines until then."""
    cause = first_cause(facts)
    if cause is None:
        return None
    name = facts.log_workspace.name if facts.log_workspace else "the workspace"
    return Unknown(state=state, target="", missing=f"what machines report: {name} is {cause.value}, which comes first")


def blind(state: FailureState, facts: Facts) -> Unknown | None:
    """Unknown as a whole where only fresh beats could show a state, and the workspace takes none in.

    For detectors that do without the workspace: where a sweep has not looked at it either, they trust what they see.
    """
    workspace = facts.log_workspace
    if workspace is None or not stopped(facts, workspace):
        return None
    missing = f"beats of the last hour: {workspace.name} takes no data in, which comes first"
    return Unknown(state=state, target="", missing=missing)


def affected(facts: Facts) -> Document:
    """Evidence: the machines that are silent or not assessed while the workspace is as it is, and how many."""
    # Without the solution there is no table of updates, which takes nothing from the finding.
    if gap := facts.missing(Reading.MACHINES, "no-heartbeat"):
        return {"machines": [], "machineCount": None, "machinesUnknown": gap.what}
    targets = sorted(set(_affected(facts)))
    return {"machines": [*targets[:MOST_LISTED]], "machineCount": len(targets)}


def _affected(facts: Facts) -> Iterator[str]:
    reporters = Reporters(facts)
    for query in sorted(AFFECTED):
        for row in facts.rows.get(query, ()):
            reporting = reporters.of(row)
            if reporting is not None and (reporting.machine is None or may_run(reporting.machine)):
                yield reporting.target
