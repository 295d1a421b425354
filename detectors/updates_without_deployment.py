"""S7: a Windows machine installs updates that no deployment asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from detectors.inside import amiss, inside, worth_a_look
from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from model.diagnosis import OperatingSystem, Result
from model.facts import Facts, Reading
from model.findings import Detection, Finding
from model.states import FailureState
from model.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesWithoutDeployment:
    """Windows Update installs by its own schedule, beside the deployments.

    Looks like: updates are installed, and machines restart, though no deployment ran; runs find nothing left to do.
    Evidence: `UpdateSummary.WindowsUpdateSetting` says "Scheduled installation" in the newest assessment, which is
    `AUOptions` 4 or no policy at all. Updates that went from Needed to Installed without a run are listed with it.
    Inside the machine `AUOptions` and `NoAutoUpdate` confirm it, where it was looked into.
    Healthy: "Notify before installation"; a policy inside that installs nothing, whatever the newest assessment said
    before it was set; Linux machines; an update agent that is unwell, which is a state of its own.
    Unknown: the machines or the summaries could not be read.
    Source: troubleshooting article, "Updates are being installed without a deployment" (S7).
    """

    finds: ClassVar[FailureState] = FailureState.UPDATES_WITHOUT_DEPLOYMENT
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"updates-without-deployment"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """Every machine whose assessment says so: it may have been set right since."""
        told = [one.target for one in self.detect(replace(facts, diagnoses={})) if isinstance(one, Finding)]
        return worth_a_look(facts, told, OperatingSystem.WINDOWS)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        told = set[str]()
        for row in facts.rows["updates-without-deployment"]:
            reporting = reporters.of(row)
            if reporting is None or reporting.target in told:
                continue
            told.add(reporting.target)
            policy = inside(facts, reporting.target, "automatic-updates")
            if policy.result is Result.PASSED:
                continue
            kbs, deployments = row.get("KBs"), row.get("Deployments")
            updates = [str(kb) for kb in kbs if kb] if isinstance(kbs, list) else []
            effect = f"; it installed {len(updates)} updates outside every run in three days" if updates else ""
            yield Finding(
                state=self.finds,
                target=reporting.target,
                name=reporting.name,
                reason=f"it is set to install updates by its own schedule{effect}",
                since=parse_time(row.get("First")),
                evidence={
                    "windowsUpdateSetting": "Scheduled installation",
                    "installedUpdates": [*updates],
                    "deployments": [*deployments] if isinstance(deployments, list) else [],
                    "osVersion": str(row.get("OsVersion") or ""),
                    "policy": amiss(facts, reporting.target, "automatic-updates"),
                    "domain": amiss(facts, reporting.target, "domain"),
                },
            )
