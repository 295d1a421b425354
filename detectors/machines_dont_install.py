"""P1: patches are not installed, and nothing else says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from detectors.inside import found_without
from detectors.log_machines import Reporters, Reporting
from detectors.protocol import unreadable
from detectors.update_agent_error import UpdateAgentError, sufferers
from model.documents import Json
from model.facts import Facts, MachineRun, Reading, UpdateRun
from model.findings import Detection, Finding
from model.runs import UNDER_WAY, newest_runs
from model.states import FailureState
from model.times import parse_time
from model.words import kb_number


@dataclass(slots=True, kw_only=True)
class _Failing:
    """A machine, the updates that it needs and did not get, and the deployments that failed on it again and again."""

    reporting: Reporting
    updates: dict[str, None] = field(default_factory=dict)
    deployments: dict[str, None] = field(default_factory=dict)
    failed_again: dict[str, set[str]] = field(default_factory=dict)
    """By deployment: numbers of the updates that failed in its newest run and in one before."""
    again: int = 0
    """How many runs of one deployment failed on it in a row, at most."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinesDontInstall:
    """A machine is patched in vain: its runs fail, or an approved update fails and stays needed, without a code.

    Looks like: machines stay non-compliant however often their deployment runs; no error names a cause.
    Evidence: the last `in_a_row` runs of a deployment all ended Failed on the machine; or an update failed in the
    newest run, and the machine's assessment since still needs it.
    Healthy: a later run succeeded; the update is not needed any more or not approved; the deployment leaves it out by
    now; an HRESULT says why, which is `update-agent-error`; Linux, which is looked after by its own states.
    Unknown: the updates, the runs or the machine runs could not be read.
    Source: troubleshooting article, "Patches aren't installed" (P1).
    """

    finds: ClassVar[FailureState] = FailureState.MACHINES_DONT_INSTALL
    reads: ClassVar[frozenset[Reading]] = UpdateAgentError.reads
    queries: ClassVar[frozenset[str]] = UpdateAgentError.queries | {"machines-dont-install"}
    in_a_row: int = 2

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        explained = sufferers(facts)
        failing = self._failed_again(facts)
        _with_needed_updates(failing, facts)
        for target, one in failing.items():
            if target in explained:
                continue
            often = f"the last {one.again} runs of {', '.join(one.deployments)} failed on it" if one.again else ""
            kbs = ", ".join(f"KB{kb.upper().removeprefix('KB')}" for kb in [*one.updates][:5])
            failed = f"{kbs or 'updates'} failed and stay needed" if one.updates or not often else ""
            yield Finding(
                state=self.finds,
                target=target,
                name=one.reporting.name,
                reason="; ".join(part for part in (often, failed) if part),
                since=one.since,
                evidence={
                    "deployments": [*one.deployments],
                    "updates": [*one.updates],
                    "failedInARow": one.again,
                    "failedAgain": [
                        {"deployment": id_, "kbs": [*sorted(kbs)]} for id_, kbs in sorted(one.failed_again.items())
                    ],
                },
            )

    def _failed_again(self, facts: Facts) -> dict[str, _Failing]:
        failed = {(run.run, run.target): run for run in facts.machine_runs if run.status == "failed"}
        found: dict[str, _Failing] = {}
        for id_, runs in newest_runs(facts).by_deployment.items():
            ended = [run for run in runs if run.status not in UNDER_WAY]
            last = ended[: self.in_a_row]
            if len(last) < self.in_a_row:
                continue
            for target in {target for run, target in failed if run == last[0].id}:
                machine = facts.machines.get(target)
                again = _leading(ended, failed, target)
                if machine is None or machine.os.lower() == "linux" or again < self.in_a_row:
                    continue
                reporting = Reporting(target=machine.id, name=machine.name, machine=machine)
                one = found.setdefault(target, _Failing(reporting=reporting))
                one.deployments[facts.deployments[id_].name] = None
                one.again = max(one.again, again)
                one.since = _earlier(one.since, ended[again - 1].start)
        return found


def _leading(ended: list[UpdateRun], failed: Mapping[tuple[str, str], MachineRun], target: str) -> int:
    """How many of the newest runs failed on the machine without a break."""
    count = 0
    for run in ended:
        if (run.id, target) not in failed:
            break
        count += 1
    return count


def _with_needed_updates(failing: dict[str, _Failing], facts: Facts) -> None:
    reporters = Reporters(facts)
    by_name = {deployment.name.lower(): deployment for deployment in facts.deployments.values()}
    for row in facts.rows["machines-dont-install"]:
        reporting = reporters.of(row)
        name = str(row.get("Deployment"))
        deployment = by_name.get(name)
        left_out = deployment.kb_exclusions if deployment else frozenset[str]()
        failed = _texts(row.get("KBs"))
        # What has no number cannot be left out.
        still = [kb for kb in failed if kb_number(kb) not in left_out]
        if reporting is None or (failed and not still):
            continue
        one = failing.setdefault(reporting.target, _Failing(reporting=reporting))
        one.updates |= dict.fromkeys(kb for kb in still if kb)
        one.deployments.setdefault(deployment.name if deployment else name)
        again = {kb_number(kb) for kb in _texts(row.get("Again")) if kb} - left_out
        if deployment and again:
            one.failed_again.setdefault(deployment.id, set()).update(again)
        one.since = _earlier(one.since, parse_time(row.get("Seen")))


def _texts(value: Json) -> list[str]:
    return [str(kb or "") for kb in value] if isinstance(value, list) else []


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time), default=None)
