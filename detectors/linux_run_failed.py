"""S13: an update run ends Failed on a Linux machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from detectors.inside import found_without
from detectors.linux_failures import Told, causes
from detectors.protocol import unreadable
from model.documents import Document, Json
from model.facts import Deployment, Facts, Machine, MachineRun, Reading
from model.findings import Detection, Finding, Unknown
from model.runs import UNDER_WAY, newest_runs, runs_again
from model.states import FailureState
from model.times import format_time

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_LOG: Final = "/var/opt/microsoft/omsagent/run/automationworker/omsupdatemgmt.log"
_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Part:
    """A machine's failed part in the newest run of a deployment that has ended."""

    run: MachineRun
    deployment: Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxRunFailed:
    """An update run starts on a Linux machine and fails: its package manager could not do what it was told.

    Looks like: machine runs end `Failed`; the output of the job holds an error of apt, dpkg, yum, rpm or zypper.
    Evidence: the machine failed in the newest run of a deployment that has ended; the run's error, the job's output or
    the failed packages tell the cause, by the patterns of `data/linux_failures.json`. Without one: a package that
    failed in that run and in the one before it.
    Healthy: a later run of the deployment ended otherwise; the deployment will not run again; Windows.
    Unknown: a run of the deployment is under way, or it was edited since, so that only the next run can tell; whether
    it will run again could not be read. A job output that could not be read leaves the failure without a cause.
    Source: troubleshooting article, "Update deployment on a Linux machine fails" (S13).
    """

    finds: ClassVar[FailureState] = FailureState.LINUX_RUN_FAILED
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS, Reading.JOB_OUTPUTS}
    )
    queries: ClassVar[frozenset[str]] = frozenset({"linux-failed-packages"})
    most_packages: int = 3
    """More packages that fail together are not each other's fault: something that they share is broken."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        """The deployments whose newest run failed on a Linux machine: their schedules say whether they run again."""
        return frozenset(part.deployment.id for parts in _failed(facts).values() for part in parts)

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        under_way = {run.deployment for run in facts.runs if run.status in UNDER_WAY}
        for machine_id, parts in _failed(facts).items():
            judged = [(part, _judged(part, facts, under_way)) for part in parts]
            open_parts = [part for part, doubt in judged if doubt is True]
            doubts = sorted({doubt for _, doubt in judged if isinstance(doubt, str)})
            if open_parts:
                yield self._finding(facts.machines[machine_id], open_parts, facts)
            elif doubts:
                yield Unknown(state=self.finds, target=machine_id, missing="; ".join(doubts))

    def _finding(self, machine: Machine, parts: list[_Part], facts: Facts) -> Finding:
        newest = max(parts, key=lambda part: part.run.start or _LONG_AGO)
        run, deployment = newest.run, newest.deployment
        output = facts.job_outputs.get(run.id)
        rows = [row for row in facts.rows["linux-failed-packages"] if row.get("MachineId") == machine.id]
        errors = [str(row.get("Error") or "") for row in rows if row.get("RunId") == run.run]
        told = causes(run.error, output.text if output else "", *errors)
        packages = () if told else self._packages(run, rows)
        evidence: dict[str, Json] = {
            **_cause(told, packages, machine, deployment),
            "causes": [{"cause": one.failure.id, "line": one.line} for one in told],
            "packages": [*packages],
            "deployment": deployment.id,
            "deployments": [*sorted(part.deployment.name for part in parts)],
            "machineRuns": [part.run.id for part in parts],
            "run": run.run,
            "error": run.error[:500],
        }
        if unread := facts.missing(f"job:{run.id}"):
            evidence["jobOutput"] = f"could not be read: {unread.what}"
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"the newest run of {deployment.name} failed on it: {evidence['means']}",
            since=run.start,
            evidence=evidence,
        )

    def _packages(self, run: MachineRun, rows: list[Mapping[str, Json]]) -> tuple[str, ...]:
        """Packages that failed in this run and in another one, few enough to be the cause."""
        now = {str(row.get("Package")) for row in rows if row.get("RunId") == run.run}
        before = {str(row.get("Package")) for row in rows if row.get("RunId") != run.run}
        again = sorted(name for name in now & before if _PACKAGE.fullmatch(name))
        return tuple(again) if len(now) <= self.most_packages else ()


def _cause(told: tuple[Told, ...], packages: tuple[str, ...], machine: Machine, deployment: Deployment) -> Document:
    """The first cause, as the remediations read it; names stand where the data file has their places."""

    def named(text: str) -> str:
        return text.replace("{machine}", machine.name).replace("{deployment}", deployment.name)

    if told:
        first = told[0].failure
        return {
            "cause": first.id,
            "class": first.action_class.value,
            "action": first.action,
            "means": named(first.means),
            "line": told[0].line,
            "advice": [named(text) for text in first.advice],
        }
    if packages:
        listed = ", ".join(packages)
        return {
            "cause": "package-interferes",
            "class": "opt",
            "action": "exclude-package",
            "means": f"{listed} failed to install on {machine.name} in this run and in one before it",
            "advice": [
                f"On {machine.name}, install {listed} by hand and look at what it says.",
                f"Until that is mended, add {listed} to the excluded packages of {deployment.name}.",
            ],
        }
    return {
        "cause": "unexplained",
        "class": "advise",
        "action": "none",
        "means": f"nothing that {machine.name} said of it is known to Patchwright",
        "advice": [
            f"Before the next run of {deployment.name} writes over it, copy {_LOG} from {machine.name}.",
            f"On {machine.name}, install the pending updates by hand: what stops you there stops the run too.",
        ],
    }


def _failed(facts: Facts) -> dict[str, list[_Part]]:
    """By Linux machine: its failed parts in the newest ended run of each deployment."""
    newest = newest_runs(facts)
    ended = {
        run.id: facts.deployments[id_]
        for id_, runs in newest.by_deployment.items()
        if (run := next((run for run in runs if run.status not in UNDER_WAY), None)) is not None
    }
    found: dict[str, list[_Part]] = {}
    for part in facts.machine_runs:
        machine, deployment = facts.machines.get(part.target), ended.get(part.run)
        if part.status != "failed" or machine is None or deployment is None:
            continue
        if (part.os or machine.os or deployment.operating_system) == "Linux":
            found.setdefault(machine.id, []).append(_Part(part, deployment))
    return found


def _judged(part: _Part, facts: Facts, under_way: set[str]) -> bool | str:
    """True where the failure stands, False where it is past, or in words why that cannot be told."""
    deployment = part.deployment
    if unread := facts.missing(deployment.id):
        return unread.what
    document = facts.documents.get(deployment.id)
    if document is None:
        return False
    match runs_again(document, facts.now):
        case None:
            return f"whether {deployment.name} will run again"
        case False:
            return False
        case True:
            pass
    if deployment.name.lower() in under_way:
        return f"the end of the run of {deployment.name} that is under way"
    if deployment.last_modified and part.run.start and deployment.last_modified > part.run.start:
        return f"a run of {deployment.name} since it was edited on {format_time(deployment.last_modified)}"
    return True
