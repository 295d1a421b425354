"""Agents that beat: rows of Heartbeat that come as simulated time passes, and the scans that follow.

Rows are made just before somebody looks: for each agent one an hour since it was last seen, within the last day, and
one at most eleven minutes old, so that a week's advance stays cheap and a healthy machine is always fresh.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from simulator.logs import LogStore
from simulator.windows import UNHEALTHY

_FRESH: Final = timedelta(hours=1)
"""An agent seen within this time of the fleet's present beats on."""
_AGENT: Final = """CASE WHEN coalesce(_ResourceId, '') <> '' THEN lower(_ResourceId)
    WHEN ResourceId <> '' THEN lower(ResourceId) ELSE 'name:' || lower(Computer) END"""
_WORKER_AGENT: Final = "Direct Agent"
"""The Category of the agent that Update Management uses; the newer Azure Monitor Agent writes another."""
_WAY: Final = timedelta(minutes=20)
"""How long an assessment is on its way into the logs."""
_AHEAD: Final = timedelta(minutes=5)
"""A beat that is further in the future was stamped by a clock that is wrong."""
_SCANS: Final = {"Update": "OSType", "UpdateSummary": "''"}


class Heartbeats:
    """Which agent beats under which identity. An agent is a lower-case resource id, or `name:<computer>`."""

    def __init__(self, logs: LogStore, now: datetime) -> None:
        self.logs = logs
        self.identities: dict[str, str] = {}
        """Agent to the SourceComputerId under which it last beat."""
        self.computers: dict[str, str] = {}
        self.living: set[str] = set()
        """Agents that beat."""
        self.ahead: dict[str, timedelta] = {}
        """How far the clocks of agents are ahead, by which they stamp their beats; without those that are right."""
        self.summaries: dict[str, tuple[str, str]] = {}
        """`WindowsUpdateSetting` and `WSUSServer` of the next assessment, where they are not what they were."""
        self._scanned = now
        if "Heartbeat" not in logs.schemas:
            return
        logs.sql(
            f"""CREATE TABLE beating__rows AS
            SELECT {_AGENT} AS agent, TimeGenerated AS last, * FROM Heartbeat__rows
            QUALIFY row_number() OVER (PARTITION BY agent, Category ORDER BY TimeGenerated DESC) = 1"""  # noqa: S608 - names are ours
        )
        for agent, identity, computer, last in logs.sql(
            "SELECT agent, SourceComputerId, Computer, last FROM beating__rows WHERE Category = ?", _WORKER_AGENT
        ):
            self.identities[str(agent)], self.computers[str(agent)] = str(identity), str(computer)
            if isinstance(last, datetime) and last > plain(now - _FRESH):
                self.living.add(str(agent))
        logs.sql("ALTER TABLE beating__rows ADD COLUMN alive BOOLEAN DEFAULT true")
        logs.sql("UPDATE beating__rows SET alive = last > ?", plain(now - _FRESH))
        logs.sql("ALTER TABLE beating__rows ADD COLUMN ahead INTERVAL DEFAULT INTERVAL 0 SECOND")
        soon = plain(now + _AHEAD)
        for agent, last in logs.sql("SELECT agent, max(last) FROM beating__rows WHERE last > ? GROUP BY agent", soon):
            if isinstance(last, datetime):
                self.clock_is_ahead(str(agent), last - plain(now), now)
        self._find_stuck(now)

    def materialise(self, now: datetime) -> None:
        """Write the rows that the agents have sent by `now`."""
        if "Heartbeat" not in self.logs.schemas:
            return
        newest, horizon = plain(now - timedelta(minutes=1)), plain(now - timedelta(hours=24))
        columns = ", ".join(f'"{name}"' for name in self.logs.schemas["Heartbeat"] if name != "TimeGenerated")
        due = "alive AND last < ?::TIMESTAMP - INTERVAL 10 MINUTE"
        self.logs.sql(
            f"""INSERT INTO Heartbeat__rows (TimeGenerated, {columns})
            SELECT t + ahead, {columns} FROM (
                SELECT *, unnest(list_distinct(list_append(
                    generate_series(greatest(last, ?::TIMESTAMP) + INTERVAL 1 HOUR, ?::TIMESTAMP, INTERVAL 1 HOUR),
                    ?::TIMESTAMP))) AS t
                FROM beating__rows WHERE {due})""",  # noqa: S608 - names come from the schema
            horizon, newest, newest, newest,
        )  # fmt: skip
        self.logs.sql(f"UPDATE beating__rows SET last = ? WHERE {due}", newest, newest)  # noqa: S608 - names are ours
        if now - self._scanned >= _FRESH:
            self._scanned = now
            self._scan(now)

    def _scan(self, now: datetime) -> None:
        """Living machines assess themselves: Windows twice a day, Linux every hour (every three here)."""
        for table, os in _SCANS.items():
            if table not in self.logs.schemas:
                continue
            # Of a scan that failed there is a summary only.
            failing = "failing" if table == "Update" else "false"
            self.logs.sql(
                f"""INSERT INTO {table}__rows BY NAME
                SELECT * REPLACE (?::TIMESTAMP AS TimeGenerated) FROM {table}__rows
                WHERE SourceComputerId IN (
                    SELECT SourceComputerId FROM beating__rows WHERE alive AND NOT stuck AND NOT ({failing}))
                QUALIFY TimeGenerated = max(TimeGenerated) OVER (PARTITION BY lower(ResourceId), SourceComputerId)
                    AND TimeGenerated < ?::TIMESTAMP - CASE WHEN {os} = 'Linux' THEN INTERVAL 3 HOUR
                        ELSE INTERVAL 12 HOUR END""",  # noqa: S608 - names are ours
                plain(now - _WAY), plain(now),
            )  # fmt: skip
        self._show_summaries(now - _WAY)

    def _find_stuck(self, now: datetime) -> None:
        """Agents that have beaten for long and assess nothing: they do not by themselves, until they are restarted."""
        self.logs.sql("ALTER TABLE beating__rows ADD COLUMN stuck BOOLEAN DEFAULT false")
        self.logs.sql("ALTER TABLE beating__rows ADD COLUMN failing BOOLEAN DEFAULT false")
        if "UpdateSummary" in self.logs.schemas:
            self.logs.sql(
                """UPDATE beating__rows SET failing = true WHERE agent IN (
                    SELECT lower(_ResourceId) FROM UpdateSummary__rows
                    GROUP BY 1 HAVING arg_max(WindowsUpdateSetting, TimeGenerated) = ?)""",
                UNHEALTHY,
            )
        if "Update" not in self.logs.schemas:
            return
        self.logs.sql(
            """UPDATE beating__rows SET stuck = true
            WHERE alive AND NOT failing AND Category = ? AND agent NOT LIKE 'name:%' AND Solutions LIKE '%updates%'
                AND agent IN (
                    SELECT lower(_ResourceId) FROM Heartbeat__rows GROUP BY 1 HAVING min(TimeGenerated) < ?)
                AND NOT EXISTS (
                    SELECT 1 FROM Update__rows AS u
                    WHERE (lower(u._ResourceId) = agent OR u.SourceComputerId = beating__rows.SourceComputerId)
                        AND u.TimeGenerated > CASE WHEN beating__rows.OSType = 'Linux' THEN ?::TIMESTAMP
                            ELSE ?::TIMESTAMP END)""",
            _WORKER_AGENT, plain(now - timedelta(hours=6)), plain(now - timedelta(hours=5)),
            plain(now - timedelta(hours=14)),
        )  # fmt: skip

    def clock_is_ahead(self, agent: str, ahead: timedelta, now: datetime | None = None) -> None:
        """From `now` on the agent stamps its beats so."""
        if ahead:
            self.ahead[agent] = ahead
        else:
            self.ahead.pop(agent, None)
        if self._knows(agent):
            self.logs.sql("UPDATE beating__rows SET ahead = ? WHERE agent = ?", ahead, agent)
            if now is not None:
                self.logs.sql("UPDATE beating__rows SET last = least(last, ?) WHERE agent = ?", plain(now), agent)

    def silence(self, agent: str) -> None:
        """The agent stops: nothing comes from it until it registers or resumes."""
        self.living.discard(agent)
        if self._knows(agent):
            self.logs.sql("UPDATE beating__rows SET alive = false WHERE agent = ?", agent)

    def resume(self, agent: str, now: datetime) -> None:
        """The agent of a machine that was started beats again, as whom it was."""
        if self._knows(agent):
            self.living.add(agent)
            self.logs.sql("UPDATE beating__rows SET alive = true, last = ? WHERE agent = ?", plain(now), agent)
            self._beat(agent, now)

    def register(self, agent: str, identity: str, now: datetime) -> None:
        """The worker's agent comes (back) as `identity` and beats at once. The newer agent beside it is left alone."""
        self.identities[agent] = identity
        if not self._knows(agent):
            return
        self.living.add(agent)
        self.logs.sql(
            "UPDATE beating__rows SET SourceComputerId = ?, alive = true, stuck = false, last = ? "
            "WHERE agent = ? AND Category = ?",
            identity, plain(now), agent, _WORKER_AGENT,
        )  # fmt: skip
        self._beat(agent, now)

    def rescan(self, agent: str, identity: str, now: datetime) -> None:
        """A machine whose agent just started assesses itself; its rows carry the agent's identity."""
        if agent in self.summaries:
            failing = self.summaries[agent][0] == UNHEALTHY
            self.logs.sql("UPDATE beating__rows SET failing = ? WHERE agent = ?", failing, agent)
        ((fails,),) = self.logs.sql(
            "SELECT coalesce(bool_or(failing), false) FROM beating__rows WHERE agent = ?", agent
        )
        for table in _SCANS:
            if table in self.logs.schemas and not (fails and table == "Update"):
                self.logs.sql(
                    f"""INSERT INTO {table}__rows BY NAME
                    SELECT * REPLACE (?::TIMESTAMP AS TimeGenerated, ? AS SourceComputerId) FROM {table}__rows
                    WHERE lower(ResourceId) = ?
                    QUALIFY TimeGenerated = max(TimeGenerated) OVER ()""",  # noqa: S608 - names are ours
                    plain(now), identity, agent,
                )  # fmt: skip
        if "Update" in self.logs.schemas and not fails:
            # One that was never assessed turns out to need nothing.
            self.logs.sql(
                """INSERT INTO Update__rows BY NAME
                SELECT ?::TIMESTAMP AS TimeGenerated, SourceComputerId, Computer, OSType, VMUUID, ResourceId,
                    _ResourceId, 'NotNeeded' AS UpdateState, 'Security Updates' AS Classification, 'Update' AS Type,
                FROM beating__rows WHERE agent = ? AND Category = ? AND NOT EXISTS (
                    SELECT 1 FROM Update__rows
                    WHERE (lower(_ResourceId) = ? OR lower(ResourceId) = ?) AND TimeGenerated = ?)""",
                plain(now), agent, _WORKER_AGENT, agent, agent, plain(now),
            )  # fmt: skip
        self._show_summaries(now)

    def _show_summaries(self, assessed: datetime) -> None:
        """Assessments of that moment show how Windows Update is set, and what it ended with."""
        for agent, (setting, server) in self.summaries.items() if "UpdateSummary" in self.logs.schemas else ():
            self.logs.sql(
                """UPDATE UpdateSummary__rows SET WindowsUpdateSetting = ?, WSUSServer = ?
                WHERE lower(_ResourceId) = ? AND TimeGenerated = ?""",
                setting, server, agent, plain(assessed),
            )  # fmt: skip

    def _knows(self, agent: str) -> bool:
        return agent in self.computers

    def _beat(self, agent: str, now: datetime) -> None:
        columns = ", ".join(f'"{name}"' for name in self.logs.schemas["Heartbeat"] if name != "TimeGenerated")
        self.logs.sql(
            f"""INSERT INTO Heartbeat__rows (TimeGenerated, {columns})
            SELECT ?::TIMESTAMP + ahead, {columns} FROM beating__rows WHERE agent = ? AND Category = ?""",  # noqa: S608 - names are ours
            plain(now), agent, _WORKER_AGENT,
        )  # fmt: skip


def plain(value: datetime) -> datetime:
    """DuckDB's TIMESTAMP is UTC without saying so."""
    return value.replace(tzinfo=None)
