"""X1: what is shown as a pending security update differs from what a security-only run installs on Linux."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from detectors.log_machines import MOST_LISTED
from detectors.protocol import unreadable
from model.facts import Deployment, Facts, Machine, Reading, Row, UpdateRun
from model.findings import Detection, Finding
from model.runs import newest_runs
from model.states import FailureState
from model.times import format_time, parse_time
from model.words import counted

_SELECTIVE: Final = frozenset({"critical", "security"})


@dataclass(slots=True)
class _Pending:
    """What a machine was assessed to need before a run, and needs after it."""

    machine: Machine
    packages: int = 0
    example: str = ""
    os_name: str = ""
    since: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxPendingVsInstalledDiffer:
    """Security updates stay pending on Linux machines although a run that selects them has succeeded.

    Looks like: a deployment of Critical and Security succeeds, and the machines stay non-compliant.
    Evidence: the deployment includes Critical or Security and not Other; its newest run succeeded; packages assessed as
    security updates before it began are needed after it ended, and no run has touched them.
    Healthy: the packages were installed, failed or excluded; they were first needed after the run began; the machine
    failed in the run; the deployment includes Other.
    Unknown: the updates, the runs or the deployments could not be read.
    Source: troubleshooting article, 2021 edition, "Linux updates shown as pending and those installed vary" (X1).
    """

    finds: ClassVar[FailureState] = FailureState.LINUX_PENDING_VS_INSTALLED_DIFFER
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS}
    )
    queries: ClassVar[frozenset[str]] = frozenset({"linux-pending-after-run"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        rows: dict[str, list[Row]] = {}
        for row in facts.rows["linux-pending-after-run"]:
            rows.setdefault(str(row.get("MachineId")), []).append(row)
        ailing = {(part.run, part.target) for part in facts.machine_runs}
        for id_, runs in newest_runs(facts).by_deployment.items():
            deployment, run = facts.deployments[id_], runs[0]
            if not _selective(deployment) or run.status != "succeeded" or not run.start or not run.end:
                continue
            pending = [
                found
                for target in deployment.azure_machines
                if target in rows and target in facts.machines and (run.id, target) not in ailing
                if (found := _pending(facts.machines[target], rows[target], run))
            ]
            if pending:
                yield self._finding(deployment, run, pending)

    def _finding(self, deployment: Deployment, run: UpdateRun, pending: list[_Pending]) -> Finding:
        packages = sum(one.packages for one in pending)
        machines = sorted(pending, key=lambda one: one.machine.id)
        return Finding(
            state=self.finds,
            target=deployment.id,
            name=deployment.name,
            reason=(
                f"{counted(packages, 'security update stays', 'security updates stay')} pending on "
                f"{counted(len(machines), 'machine')} after its run succeeded, "
                f"among them {machines[0].example} on {machines[0].machine.name}"
            ),
            since=min(moment for one in pending for moment in one.since),
            evidence={
                "run": run.id,
                "runEnded": format_time(run.end) if run.end else None,
                "packages": packages,
                "machineCount": len(machines),
                "machines": [
                    {"machine": one.machine.id, "packages": one.packages, "example": one.example, "os": one.os_name}
                    for one in machines[:MOST_LISTED]
                ],
            },
        )


def _selective(deployment: Deployment) -> bool:
    has = deployment.package_classifications or frozenset()
    # A mask may have left the very packages out, as somebody wanted it.
    return bool(has & _SELECTIVE) and "other" not in has and not deployment.package_exclusions


def _pending(machine: Machine, rows: list[Row], run: UpdateRun) -> _Pending | None:
    """What was needed before the run began and after it ended; None where nothing was."""
    found = _Pending(machine=machine)
    for row in rows:
        first, seen, count = parse_time(row.get("First")), parse_time(row.get("Seen")), row.get("Packages")
        if first is None or seen is None or not run.start or not run.end or isinstance(count, bool):
            continue
        # The query gives the last first-needed of a day: one after the start leaves the whole day out.
        if first < run.start and seen > run.end and isinstance(count, int | float):
            found.packages += int(count)
            found.example = found.example or str(row.get("Package") or "")
            found.os_name = found.os_name or str(row.get("OsName") or "")
            found.since.append(first)
    return found if found.packages else None
