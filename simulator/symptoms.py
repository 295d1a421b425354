"""What the insides of machines show in the workspace's logs; what a fleet's logs tell of insides it does not describe.

An agent that complains goes on complaining until what it complains about is mended; a machine that Windows Update
restarts by its own policy is restarted after every run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from model.documents import at, list_at, text_at
from model.times import format_time, parse_time
from simulator.guests import Guest
from simulator.heartbeats import Heartbeats, plain
from simulator.logs import LogStore
from simulator.resources import ResourceStore
from simulator.windows import UNHEALTHY

MACHINE_RUN_TYPE: Final = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurationMachineRuns"
_AGENT: Final = "CASE WHEN coalesce(_ResourceId, '') <> '' THEN lower(_ResourceId) ELSE 'name:' || lower(Computer) END"
_REPEATS: Final = timedelta(hours=6)
"""How often an agent says again what it complains about."""
_TLS: Final = "do not possess a common algorithm"
_CERTIFICATE: Final = "self-signed certificate"
_POLICY_RESTART: Final = (
    "The process C:\\Windows\\System32\\MoUsoCoreWorker.exe ({0}) has initiated the restart of computer {0} on behalf "
    "of user NT AUTHORITY\\SYSTEM for the following reason: Operating System: Service pack (Planned)"
)


class Symptoms:
    """Read from a fleet once; kept up as guests change and time passes."""

    def __init__(
        self, account: str, resources: ResourceStore, logs: LogStore, heartbeats: Heartbeats, now: datetime
    ) -> None:
        self.account, self.resources, self.logs, self.heartbeats = account, resources, logs, heartbeats
        self._summaries = self._newest_summaries()
        self._servers = self._servers_when_well()
        self._complaints = self._complaining(now)
        self._restarts = self._restarted_by_policy(now)
        self._outputs = self._outputs_of_failed_runs()
        self._failing = self._failing_packages()
        self.install_errors = self._install_errors()
        """By agent, the error that the newest run of a deployment met while it installed."""
        self._shown: dict[str, tuple[str, str]] = {}

    def seed(self, guest: Guest) -> None:
        """Make a guest what the logs tell of it."""
        agent = guest.agent
        guest.clock_ahead = self.heartbeats.ahead.get(agent, timedelta())
        if guest.os.lower() == "linux":
            guest.linux.failing = frozenset(self._failing.get(agent, ()))
            if output := self._outputs.get(agent):
                guest.linux.shows_output(output)
            return
        if agent in self._summaries:
            guest.windows.shows_summary(*self._summaries[agent], self._servers.get(agent, ""))
        if agent in self.install_errors:
            guest.windows.fails_to_install(self.install_errors[agent])
        for cause in self._complaints.get(agent, ()):
            if cause == "tls":
                guest.windows.refuses_tls12()
            elif cause == "keys":
                guest.windows.lacks_rights()
        if agent in self._restarts:
            guest.windows.restarts_after_updates()

    def begin(self, guest: Guest) -> None:
        """What a guest shows before anything is done in it."""
        self._shown[guest.agent] = guest.windows.summary()
        self.heartbeats.clock_is_ahead(guest.agent, guest.clock_ahead)

    def follow(self, guest: Guest, now: datetime) -> None:
        """A script ran in the guest: what it changed shows from now on."""
        if guest.clock_ahead != self.heartbeats.ahead.get(guest.agent, timedelta()):
            self.heartbeats.clock_is_ahead(guest.agent, guest.clock_ahead, now)
        if guest.os.lower() == "linux":
            return
        if (summary := guest.windows.summary()) != self._shown.get(guest.agent):
            self._shown[guest.agent] = self.heartbeats.summaries[guest.agent] = summary
        if "Event" in self.logs.schemas:
            for cause, mended in (("tls", guest.windows.speaks_tls12()), ("keys", guest.windows.may_write_keys())):
                statement = "UPDATE complaining__rows SET alive = ? WHERE agent = ? AND cause = ?"
                self.logs.sql(statement, not mended, guest.agent, cause)

    def materialise(self, now: datetime) -> None:
        """Write what agents have complained about by `now`."""
        if "Event" not in self.logs.schemas:
            return
        columns = ", ".join(f'"{name}"' for name in self.logs.schemas["Event"] if name != "TimeGenerated")
        said, due = plain(now - timedelta(minutes=5)), plain(now - _REPEATS)
        self.logs.sql(
            f"""INSERT INTO Event__rows (TimeGenerated, {columns})
            SELECT ?::TIMESTAMP, {columns} FROM complaining__rows WHERE alive AND last < ?""",  # noqa: S608 - names are ours
            said, due,
        )  # fmt: skip
        self.logs.sql("UPDATE complaining__rows SET last = ? WHERE alive AND last < ?", said, due)

    def restarts(self, guest: Guest, now: datetime) -> None:
        """Windows Update restarts the machine by its own policy."""
        computer = self.heartbeats.computers.get(guest.agent, guest.agent.rsplit("/", 1)[-1])
        events = (
            (1074, "User32", _POLICY_RESTART.format(computer)),
            (6005, "EventLog", "The Event log service was started."),
        )
        self.logs.append(
            "Event",
            [
                {
                    "TimeGenerated": format_time(now),
                    "Computer": computer,
                    "_ResourceId": guest.agent,
                    "EventLog": "System",
                    "EventID": event,
                    "EventLevelName": "Information",
                    "Source": source,
                    "RenderedDescription": text,
                }
                for event, source, text in events
            ],
        )

    def _newest_summaries(self) -> dict[str, tuple[str, str]]:
        rows = self._rows(
            "UpdateSummary",
            f"""SELECT {_AGENT} AS agent, WindowsUpdateSetting, WSUSServer FROM UpdateSummary__rows
            WHERE WindowsUpdateSetting <> ''
            QUALIFY row_number() OVER (PARTITION BY agent ORDER BY TimeGenerated DESC) = 1""",  # noqa: S608 - names are ours
        )
        return {agent: (setting, server) for agent, setting, server in rows}

    def _servers_when_well(self) -> dict[str, str]:
        rows = self._rows(
            "UpdateSummary",
            f"""SELECT {_AGENT} AS agent, WSUSServer FROM UpdateSummary__rows
            WHERE WindowsUpdateSetting <> '{UNHEALTHY}'
            QUALIFY row_number() OVER (PARTITION BY agent ORDER BY TimeGenerated DESC) = 1""",  # noqa: S608 - names are ours
        )
        return {row[0]: row[1] for row in rows}

    def _complaining(self, now: datetime) -> dict[str, set[str]]:
        if "Event" not in self.logs.schemas:
            return {}
        self.logs.sql(
            f"""CREATE TABLE complaining__rows AS
            SELECT {_AGENT} AS agent, TimeGenerated AS last, true AS alive,
                CASE WHEN RenderedDescription LIKE '%{_TLS}%' THEN 'tls'
                    WHEN RenderedDescription LIKE '%{_CERTIFICATE}%' THEN 'keys' ELSE '' END AS cause, *
            FROM Event__rows
            WHERE TimeGenerated > ? AND ((EventLog = 'Operations Manager' AND EventID = 4502)
                OR (EventLog = 'Microsoft-SMA/Operational' AND EventID = 15011))
            QUALIFY row_number() OVER (
                PARTITION BY agent, EventID, regexp_replace(RenderedDescription, '[0-9]+', '#', 'g')
                ORDER BY TimeGenerated DESC) = 1""",  # noqa: S608 - names are ours
            plain(now - timedelta(days=1)),
        )  # fmt: skip
        found: dict[str, set[str]] = {}
        for agent, cause in self._rows("Event", "SELECT agent, cause FROM complaining__rows"):
            found.setdefault(agent, set()).add(cause)
        return found

    def _restarted_by_policy(self, now: datetime) -> set[str]:
        rows = self._rows(
            "Event",
            f"""SELECT DISTINCT {_AGENT} FROM Event__rows WHERE EventID = 1074 AND TimeGenerated > ? AND
            regexp_matches(RenderedDescription,
                'mousocoreworker|usoclient|usocoreworker|wuauclt|trustedinstaller|svchost', 'i')""",  # noqa: S608 - names are ours
            plain(now - timedelta(days=2)),
        )
        return {agent for (agent,) in rows}

    def _install_errors(self) -> dict[str, str]:
        rows = self._rows(
            "UpdateRunProgress",
            f"""SELECT {_AGENT} AS agent, ErrorResult, InstallationStatus, CorrelationId FROM UpdateRunProgress__rows
            WHERE OSType <> 'Linux'
            QUALIFY CorrelationId = first_value(CorrelationId) OVER (
                PARTITION BY agent, lower(UpdateRunName) ORDER BY TimeGenerated DESC)""",  # noqa: S608 - names are ours
        )
        return {agent: error for agent, error, status, _ in rows if error and status != "Succeeded"}

    def _failing_packages(self) -> dict[str, set[str]]:
        rows = self._rows(
            "UpdateRunProgress",
            f"""SELECT {_AGENT} AS agent, Product, InstallationStatus, CorrelationId FROM UpdateRunProgress__rows
            WHERE OSType = 'Linux'
            QUALIFY CorrelationId = first_value(CorrelationId) OVER (
                PARTITION BY agent, lower(UpdateRunName) ORDER BY TimeGenerated DESC)""",  # noqa: S608 - names are ours
        )
        found: dict[str, set[str]] = {}
        for agent, product, status, _ in rows:
            if product and "failed" in status.lower():
                found.setdefault(agent, set()).add(product)
        return found

    def _outputs_of_failed_runs(self) -> dict[str, str]:
        """By agent, what the package manager said in the newest run of a deployment, where it failed on Linux."""
        newest: dict[tuple[str, str], tuple[datetime, str]] = {}
        for run in self.resources.of_type(MACHINE_RUN_TYPE):
            if text_at(run, "properties.osType").lower() != "linux":
                continue
            start = parse_time(at(run, "properties.startTime"))
            key = (
                text_at(run, "properties.targetComputer").lower(),
                text_at(run, "properties.softwareUpdateConfiguration.name"),
            )
            if start and (key not in newest or newest[key][0] < start):
                failed = text_at(run, "properties.status").lower() == "failed"
                error = text_at(run, "properties.error.message")
                newest[key] = start, f"{error}\n{self._job(text_at(run, 'properties.job.id'))}" if failed else ""
        return {agent: text for (agent, _), (_, text) in newest.items() if text.strip()}

    def _job(self, name: str) -> str:
        job = self.resources.get(f"{self.account}/jobs/{name.rsplit('/', 1)[-1]}") if name else None
        streams = [text_at(s, "properties.summary") for s in list_at(job or {}, "streams") if isinstance(s, dict)]
        return "\n".join([text_at(job or {}, "output"), *streams])

    def _rows(self, table: str, statement: str, *parameters: object) -> list[tuple[str, ...]]:
        """Rows of text; none where the workspace has no such table."""
        if table not in self.logs.schemas:
            return []
        return [tuple(str(value or "") for value in row) for row in self.logs.sql(statement, *parameters)]
