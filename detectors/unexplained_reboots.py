"""S5: a machine restarts after a deployment that must never restart it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Final

from detectors.inside import a_diagnosis, amiss, inside, worth_a_look
from detectors.log_machines import Reporters, Reporting
from detectors.protocol import unreadable
from model.diagnosis import OperatingSystem, Result
from model.documents import at, text_at
from model.facts import Facts, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import format_time, parse_time

_PROCESS: Final = re.compile(r"\b[a-z]:\\[^()\r\n\"*?<>|]*?([^\\()\r\n\"*?<>|]+\.exe)", re.IGNORECASE)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_REBOOT_SETTING: Final = "properties.updateConfiguration.windows.rebootSetting"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnexplainedReboots:
    """Windows Update restarts a machine by its own policy, though the deployment says Never.

    Looks like: machines restart after patching though the deployment's reboot option is "Never reboot".
    Evidence: the System log has a restart within a day after the machine's last run before it began, that run's
    deployment has `rebootSetting` Never, and event 1074 names a process of Windows Update as the one who asked for it.
    Where the log does not say who asked, the policy inside the machine decides: AUOptions 4 with a restart at the
    scheduled time or because nobody is signed in, or active hours that are set.
    Healthy: the deployment may restart; event 1074 names somebody else, which explains the restart; nobody is named,
    and no policy inside restarts the machine.
    Unknown: the System log has the restart and not who asked for it, and the machine was not looked into.
    Source: troubleshooting article, "Unexpected reboot after update deployment" (S5).
    """

    finds: ClassVar[FailureState] = FailureState.UNEXPLAINED_REBOOTS
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES, Reading.DEPLOYMENTS})
    queries: ClassVar[frozenset[str]] = frozenset({"unexplained-reboots"})
    update_agents: frozenset[str] = frozenset(
        {
            "mousocoreworker.exe",
            "usoclient.exe",
            "usocoreworker.exe",
            "wuauclt.exe",
            "trustedinstaller.exe",
            "svchost.exe",
        }
    )
    """Programs under which Windows Update asks for a restart; the service itself lives in svchost."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        """Deployments that a machine restarted after: only their full document has the reboot option."""
        named = {str(row.get("Deployment")) for row in facts.rows.get("unexplained-reboots", ())}
        return frozenset(d.id for d in facts.deployments.values() if d.name.lower() in named)

    def probes(self, facts: Facts) -> frozenset[str]:
        """Machines of which the log does not say who restarted them, after a run that must not."""
        doubts = [one.target for one in self.detect(replace(facts, diagnoses={})) if isinstance(one, Unknown)]
        return worth_a_look(facts, doubts, OperatingSystem.WINDOWS)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        by_name = {deployment.name.lower(): deployment.id for deployment in facts.deployments.values()}
        for reporting, rows in _restarts(facts).values():
            # The newest restart, and of the runs before it the one that began last: that one could have caused it.
            newest = max(_time(row, "At") for row in rows)
            about = [row for row in rows if _time(row, "Started") == max(_time(r, "Started") for r in rows)]
            deployment = by_name.get(str(about[0].get("Deployment")))
            if deployment is None:
                continue
            if unread := facts.missing(deployment):
                yield Unknown(state=self.finds, target=reporting.target, missing=unread.what)
                continue
            document = facts.documents.get(deployment, {})
            if text_at(document, _REBOOT_SETTING).lower() != "never":
                continue
            texts = [str(row.get("Text")) for row in about if row.get("Text")]
            process = next((found[1].lower() for text in texts if (found := _PROCESS.search(text))), "")
            if process and process not in self.update_agents:
                continue
            policy = inside(facts, reporting.target, "restart-policy")
            if not process and policy.result is Result.UNKNOWN:
                missing = a_diagnosis(f"who asked for the restart at {format_time(newest)}", policy)
                yield Unknown(state=self.finds, target=reporting.target, missing=missing)
                continue
            if not process and policy.result is Result.PASSED:
                continue
            name = text_at(document, "name")
            who = process or "a policy of Windows Update"
            yield Finding(
                state=self.finds,
                target=reporting.target,
                name=reporting.name,
                reason=f"{who} restarted it after a run of {name}, which must never restart",
                since=newest,
                evidence={
                    "deployment": deployment,
                    "deploymentName": name,
                    "rebootSetting": at(document, _REBOOT_SETTING),
                    "process": process,
                    "restartPolicy": amiss(facts, reporting.target, "restart-policy"),
                    "domain": amiss(facts, reporting.target, "domain"),
                    "event": texts[0][:500] if texts else "",
                    "restarts": [*sorted({str(row.get("At")) for row in about})],
                },
            )


def _restarts(facts: Facts) -> Mapping[str, tuple[Reporting, list[Row]]]:
    """By target: the machine, and its runs with the restarts after them."""
    reporters = Reporters(facts)
    found: dict[str, tuple[Reporting, list[Row]]] = {}
    for row in facts.rows["unexplained-reboots"]:
        if reporting := reporters.of(row):
            found.setdefault(reporting.target, (reporting, []))[1].append(row)
    return found


def _time(row: Row, name: str) -> datetime:
    return parse_time(row.get(name)) or _LONG_AGO
