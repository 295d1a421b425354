"""Which run of a deployment is its newest, and whether there will be another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from model.documents import Document, at, text_at
from model.facts import Deployment, Facts, UpdateRun
from model.times import parse_time

UNDER_WAY: Final = frozenset({"notstarted", "inprogress"})
"""Statuses of a run, and of a machine's part in it, that have not ended."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def runs_again(document: Document, now: datetime) -> bool | None:
    """Whether a deployment will run again: enabled, and not over. None where its full document does not say."""
    enabled = at(document, "properties.scheduleInfo.isEnabled")
    if not isinstance(enabled, bool):
        return None
    next_run = parse_time(at(document, "properties.scheduleInfo.nextRun"))
    if not enabled or (next_run is not None and next_run > now):
        return enabled
    expiry = parse_time(at(document, "properties.scheduleInfo.expiryTime"))
    once = text_at(document, "properties.scheduleInfo.frequency").lower() == "onetime"
    # A recurring schedule that has not expired has a next run, even where this answer lacks it.
    return False if once or (expiry is not None and expiry <= now) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRuns:
    """The runs of each deployment, newest first."""

    by_deployment: Mapping[str, tuple[UpdateRun, ...]]
    """By lower-case resource id of the deployment."""
    deployments: Mapping[str, Deployment]
    """By the id of its newest run."""

    def deployment_of(self, run: str) -> Deployment | None:
        """The deployment whose newest run this is, or None where it is not a newest one."""
        return self.deployments.get(run)


def newest_runs(facts: Facts) -> NewestRuns:
    """Join runs to deployments. A run knows its deployment by name only; names are unique within an account."""
    by_name = {deployment.name.lower(): deployment for deployment in facts.deployments.values()}
    found: dict[str, list[UpdateRun]] = {}
    for run in sorted(facts.runs, key=lambda run: run.start or _LONG_AGO, reverse=True):
        if deployment := by_name.get(run.deployment):
            found.setdefault(deployment.id, []).append(run)
    return NewestRuns(
        by_deployment={id_: tuple(runs) for id_, runs in found.items()},
        deployments={runs[0].id: facts.deployments[id_] for id_, runs in found.items()},
    )
