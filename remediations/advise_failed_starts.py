"""What a person has to do about machines that fail to start, where Patchwright does nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.facts import Facts
from model.findings import Finding
from model.states import FailureState
from remediations.advice import AdviceOnly, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseJobLimit(AdviceOnly):
    """Spread the deployments of an account that begins more jobs at once than it may.

    Effect: none; when a deployment may run is its owners' decision.
    Declined: always, with the deployments that began together, and how many jobs there were.
    """

    id: ClassVar[str] = "advise-job-limit"
    fixes: ClassVar[FailureState] = FailureState.JOB_LIMIT_REACHED

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        said = finding.evidence
        runs = said.get("runs")
        starts = texts([run.get("start") for run in runs if isinstance(run, dict)] if isinstance(runs, list) else [])
        sizes = {
            deployment.name: len(deployment.azure_machines) + len(deployment.computer_names)
            for deployment in facts.deployments.values()
        }
        big = [f"{name} ({1 + sizes.get(name, 0)} jobs)" for name in texts(said.get("deployments"))]
        return (
            (
                f"{said.get('jobs')} jobs of at most {said.get('limit')} at {', '.join(starts)}; "
                f"{said.get('machineCount')} machines failed to start"
            ),
            f"Let these begin at different times, by at least their windows: {', '.join(big)}.",
            (
                f"Or split them: a deployment is one job, and each of its machines one more, of {said.get('limit')} at "
                "once; or spread them over several Automation accounts."
            ),
            "Where the account has another limit, set PATCHWRIGHT_JOB_LIMIT to it.",
        )
