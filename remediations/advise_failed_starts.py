"""What a person has to do about machines that fail to start, where Patchwright does nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.documents import Json
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseJobLimit:
    """Spread the deployments of an account that begins more jobs at once than it may.

    Effect: none; when a deployment may run is its owners' decision.
    Declined: always, with the deployments that began together, and how many jobs there were.
    """

    id: ClassVar[str] = "advise-job-limit"
    fixes: ClassVar[FailureState] = FailureState.JOB_LIMIT_REACHED
    action_class: ClassVar[ActionClass] = ActionClass.ADVISE
    impact: ClassVar[Impact] = Impact.READ_ONLY
    permissions: ClassVar[frozenset[str]] = frozenset()
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Declined:
        said = finding.evidence
        deployments = _texts(said.get("deployments"))
        starts = _texts([run.get("start") for run in _objects(said.get("runs"))])
        sizes = {
            deployment.name: len(deployment.azure_machines) + len(deployment.computer_names)
            for deployment in facts.deployments.values()
        }
        big = [f"{name} ({1 + sizes.get(name, 0)} jobs)" for name in deployments]
        return declined(
            finding,
            self.id,
            f"{said.get('jobs')} jobs of at most {said.get('limit')} at {_listed(starts)}; "
            f"{said.get('machineCount')} machines failed to start",
            f"Let these begin at different times, by at least their windows: {_listed(big)}.",
            f"Or split them: a deployment is one job, and each of its machines one more, of {said.get('limit')} at "
            "once; or spread them over several Automation accounts.",
            "Where the account has another limit, set PATCHWRIGHT_JOB_LIMIT to it.",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
