"""Which run of a deployment is its newest: what an older one says has been overtaken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from model.facts import Deployment, Facts, UpdateRun

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


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
