"""S12: the update agent of a machine reports an HRESULT, so that it is not assessed or does not install."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Final

from detectors.hresults import Site, codes_in, described, spelled, table
from detectors.inside import amiss, found_without
from detectors.log_machines import MOST_LISTED, Reporters, Reporting, update_server
from detectors.protocol import unreadable
from model.documents import Json
from model.facts import Facts, Reading, Row
from model.findings import Detection, Finding
from model.runs import newest_runs
from model.states import FailureState
from model.times import parse_time

_SCAN, _INSTALL = "scan", "install"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentError:
    """One error of one machine."""

    phase: str
    text: str
    codes: tuple[int, ...]
    seen: datetime | None
    deployment: str = ""
    updates: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The innermost one; 0 where the text has none."""
        return self.codes[-1] if self.codes else 0


@dataclass(slots=True, kw_only=True)
class Sufferer:
    """A machine, the server it takes updates from, and all its errors."""

    reporting: Reporting
    server: str = ""
    clients: int = 0
    errors: list[AgentError] = field(default_factory=list)

    @property
    def first(self) -> AgentError:
        """What is to be mended first: a machine that cannot scan cannot install either. Else the newest."""
        return max(self.errors, key=lambda error: (error.phase == _SCAN, error.seen or _LONG_AGO))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAgentError:
    """The Windows Update agent fails with an HRESULT, while it scans or while it installs.

    Looks like: machines "Not assessed"; "Exception from HRESULT: 0x……C" or another code in the portal or in a run.
    Evidence: `UpdateSummary.WindowsUpdateSetting` says "Error returned from unhealthy WUA agent" in the newest
    assessment; `UpdateRunProgress.ErrorResult` or a machine run's error holds a code in the newest run of a deployment.
    Of several codes in one text the last, innermost one counts. A trouble of the update server that at least
    `shared_by` machines of one WSUS server have, and no fewer than half of its clients, is one finding on that server.
    Healthy: the newest assessment or run has no error, even where an earlier try had; codes that are no errors.
    Unknown: the summaries, the progress of runs or the machine runs could not be read.
    Source: troubleshooting article, "Machine shows as Not assessed and displays an HRESULT exception" (S12).
    """

    finds: ClassVar[FailureState] = FailureState.UPDATE_AGENT_ERROR
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS}
    )
    queries: ClassVar[frozenset[str]] = frozenset({"update-agent-error"})
    shared_by: int = 3
    """From how many machines on a trouble is its server's."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        found = sufferers(facts)
        by_cause: dict[tuple[str, int], list[Sufferer]] = {}
        for one in found.values():
            by_cause.setdefault((one.server, one.first.code), []).append(one)
        for (server, code), those in by_cause.items():
            if self._is_the_server_s(server, code, those):
                yield self._on_the_server(server, code, those)
            else:
                for one in those:
                    same = sum(one.first.code == other.first.code for other in found.values())
                    yield self._on_the_machine(one, same, _free(facts, one.reporting.target))

    def _is_the_server_s(self, server: str, code: int, those: list[Sufferer]) -> bool:
        clients = max(one.clients for one in those)
        return (
            bool(server)
            and len(those) >= self.shared_by
            and 2 * len(those) >= clients
            and table().of(code).site is Site.SOURCE
        )

    def _on_the_server(self, server: str, code: int, those: list[Sufferer]) -> Finding:
        of_all = f"of {max(one.clients for one in those)} " if max(one.clients for one in those) else ""
        return Finding(
            state=self.finds,
            target=f"name:{server}",
            name=server,
            reason=f"{len(those)} {of_all}machines of the WSUS server {server} report {_named(code)}",
            since=min((one.first.seen for one in those if one.first.seen), default=None),
            evidence={
                **described(code),
                "phase": those[0].first.phase,
                "text": those[0].first.text[:300],
                "server": server,
                "machines": [*sorted(one.reporting.target for one in those)[:MOST_LISTED]],
                "machineCount": len(those),
                "clients": max(one.clients for one in those),
            },
        )

    def _on_the_machine(self, one: Sufferer, same: int, free: int | None) -> Finding:
        error = one.first
        codes = dict.fromkeys(spelled(code) for each in one.errors for code in each.codes)
        what = "its newest scan for updates" if error.phase == _SCAN else f"installing {_listed(error)}"
        updates = dict.fromkeys(kb for each in one.errors for kb in each.updates)
        deployments = dict.fromkeys(each.deployment for each in one.errors if each.deployment)
        evidence: dict[str, Json] = {
            **described(error.code),
            "phase": error.phase,
            "text": error.text[:300],
            "codes": [*codes],
            "updates": [*updates],
            "deployments": [*deployments],
            "server": one.server,
            "machinesWithThisCode": same,
        }
        if free is not None:
            evidence["freeMegabytes"] = free
        if not error.codes:
            evidence["code"] = ""
        return Finding(
            state=self.finds,
            target=one.reporting.target,
            name=one.reporting.name,
            reason=f"{what} ended with {_named(error.code)}",
            since=min((each.seen for each in one.errors if each.seen), default=None),
            evidence=evidence,
        )


def _free(facts: Facts, target: str) -> int | None:
    """Megabytes left on the system drive, where a look inside has found them too few."""
    said = amiss(facts, target, "free-space").removesuffix("MB")
    return int(said) if said.isdecimal() else None


def _named(code: int) -> str:
    if not code:
        return "an error without a code"
    row = table().of(code)
    return f"{spelled(code)}{f' ({row.name})' if row.name else ''}: {row.meaning}"


def _listed(error: AgentError) -> str:
    return ", ".join(f"KB{kb.upper().removeprefix('KB')}" for kb in error.updates[:5]) or "updates"


def sufferers(facts: Facts) -> Mapping[str, Sufferer]:
    """Every machine that has an error now, by target."""
    reporters = Reporters(facts)
    found: dict[str, Sufferer] = {}
    for row in facts.rows["update-agent-error"]:
        error, reporting = _error_of(row), reporters.of(row)
        if error is None or reporting is None:
            continue
        one = found.setdefault(reporting.target, Sufferer(reporting=reporting))
        one.errors.append(error)
        one.server = one.server or update_server(row.get("Source"))
        clients = row.get("Clients")
        one.clients = max(one.clients, int(clients) if isinstance(clients, int | float) else 0)
    newest = newest_runs(facts)
    for run in facts.machine_runs:
        codes = codes_in(run.error)
        deployment, machine = newest.deployment_of(run.run), facts.machines.get(run.target)
        if not codes or deployment is None or machine is None or machine.os.lower() == "linux":
            continue
        reporting = Reporting(target=machine.id, name=machine.name, machine=machine)
        one = found.setdefault(machine.id, Sufferer(reporting=reporting))
        one.errors.append(
            AgentError(phase=_INSTALL, text=run.error, codes=codes, seen=run.start, deployment=deployment.name.lower())
        )
    return found


def _error_of(row: Row) -> AgentError | None:
    """None for a row that tells of no error: a code of success, or a failure that says nothing."""
    phase, text = str(row.get("Phase")), str(row.get("Text") or "")
    codes = codes_in(text)
    if phase != _SCAN and not codes:
        return None
    kbs = row.get("KBs")
    return AgentError(
        phase=phase,
        text=text,
        codes=codes,
        seen=parse_time(row.get("Seen")),
        deployment=str(row.get("Deployment") or ""),
        updates=tuple(str(kb) for kb in kbs if kb) if isinstance(kbs, list) else (),
    )
