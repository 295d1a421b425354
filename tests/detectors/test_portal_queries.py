"""The queries of S1, executed: what Log Analytics would answer on a handful of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from detectors.protocol import kql
from model.documents import Document, Json
from model.facts import Machine
from simulator.logs import LogStore
from tests.builders import DAY, HOUR, MINUTE, NOW, WORKSPACE_GUID, a_machine, guid, swapped

WEB, API = a_machine("web-01"), a_machine("api-01", os="Linux")
ONE, TWO = guid("agent one"), guid("agent two")
WITH, WITHOUT = '"security", "changeTracking", "updates"', '"security"'
SECOND = timedelta(seconds=1)


def a_heartbeat(
    machine: Machine = WEB, *, ago: timedelta = MINUTE, source: str = ONE, solutions: str = WITH, **more: Json
) -> Document:
    return {
        "TimeGenerated": (NOW - ago).isoformat(),
        "Computer": machine.name,
        "SourceComputerId": source,
        "_ResourceId": machine.id,
        "VMUUID": machine.vm_id,
        "Category": "Direct Agent",
        "OSType": machine.os,
        "Solutions": solutions,
        **more,
    }


def an_assessment(machine: Machine = WEB, *, ago: timedelta, source: str = ONE, **more: Json) -> Document:
    return {
        "TimeGenerated": (NOW - ago).isoformat(),
        "SourceComputerId": source,
        "_ResourceId": machine.id,
        "VMUUID": machine.vm_id,
        "OSType": machine.os,
        **more,
    }


def answered(query: str, **logs: Sequence[Document]) -> list[dict[str, Json]]:
    return LogStore(WORKSPACE_GUID, logs).query(kql(query), NOW, None, None).objects()


def machines(query: str, **logs: Sequence[Document]) -> list[str]:
    return sorted(str(row["MachineId"]) for row in answered(query, **logs))


class TestNoHeartbeat:
    """`no-heartbeat.kql`: the newest beat of each machine, where it is more than an hour old."""

    def silent(self, *beats: Document) -> list[str]:
        return machines("no-heartbeat", Heartbeat=beats)

    def test_a_row_tells_who_and_since_when(self) -> None:
        rows = answered("no-heartbeat", Heartbeat=[a_heartbeat(ago=9 * DAY), a_heartbeat(ago=2 * HOUR)])

        assert rows == [
            {
                "MachineId": WEB.id,
                "VmId": WEB.vm_id,
                "Computer": "web-01",
                "OSType": "Windows",
                "SourceComputerId": ONE,
                "LastBeat": "2026-03-10T04:00:00Z",
                "NewerBeat": None,
            }
        ]

    @pytest.mark.parametrize(
        ("ago", "silent"),
        # To the second: an hour, and the thirty-five days that are looked back.
        [(HOUR - SECOND, False), (HOUR, True), (35 * DAY - SECOND, True), (35 * DAY + SECOND, False)],
    )
    def test_silence_is_more_than_an_hour_and_less_than_the_lookback(self, ago: timedelta, *, silent: bool) -> None:
        assert self.silent(a_heartbeat(ago=ago)) == ([WEB.id] if silent else [])

    def test_the_newest_beat_decides_whatever_the_identity(self) -> None:
        assert self.silent(a_heartbeat(ago=DAY), a_heartbeat(source=TWO)) == []

    @pytest.mark.parametrize("now", [WEB.vm_id, WEB.vm_id.upper(), swapped(WEB.vm_id), swapped(WEB.vm_id).upper()])
    @pytest.mark.parametrize("resource_id", ["", "/subscriptions/s/resourcegroups/moved/web-01"])
    def test_the_same_vm_that_beats_under_another_name_is_not_silent(self, now: str, resource_id: str) -> None:
        """Moved, or without a resource id; and as some Linux distributions spell the VM's id."""
        elsewhere = a_heartbeat(VMUUID=now, _ResourceId=resource_id)

        assert self.silent(a_heartbeat(ago=2 * HOUR), elsewhere) == []

    def test_a_namesake_that_beats_is_another_machine(self) -> None:
        twin = a_machine("web-01", group="rg-green")

        assert self.silent(a_heartbeat(ago=2 * HOUR), a_heartbeat(twin)) == [WEB.id]

    def test_the_newer_agent_is_no_sign_of_life_and_is_told(self) -> None:
        newer = a_heartbeat(Category="Azure Monitor Agent", source=TWO)
        (row,) = answered("no-heartbeat", Heartbeat=[a_heartbeat(ago=2 * HOUR), newer])

        assert row["NewerBeat"] == "2026-03-10T05:59:00Z"
        assert self.silent(newer) == []

    def test_two_without_a_vm_id_do_not_stand_for_each_other(self) -> None:
        assert self.silent(a_heartbeat(ago=2 * HOUR, VMUUID=""), a_heartbeat(API, VMUUID="")) == [WEB.id]


class TestNotAssessed:
    """`not-assessed.kql`: machines that beat with the Updates solution and have sent no assessment."""

    def unassessed(self, beats: Sequence[Document], updates: Sequence[Document] = ()) -> list[str]:
        return machines("not-assessed", Heartbeat=beats, Update=updates)

    def test_a_row_tells_since_when_the_agent_beats(self) -> None:
        beats = [a_heartbeat(ago=9 * DAY, source=TWO), a_heartbeat(ago=2 * DAY), a_heartbeat()]
        (row,) = answered("not-assessed", Heartbeat=beats, Update=[])

        assert (row["MachineId"], row["SourceComputerId"]) == (WEB.id, ONE)
        assert (row["First"], row["LastBeat"]) == ("2026-03-08T06:00:00Z", "2026-03-10T05:59:00Z")

    @pytest.mark.parametrize(
        ("machine", "ago", "assessed"),
        [
            # Windows assesses itself twice a day, Linux every hour.
            (WEB, 14 * HOUR - SECOND, True),
            (WEB, 14 * HOUR + SECOND, False),
            (API, 5 * HOUR - SECOND, True),
            (API, 5 * HOUR + SECOND, False),
        ],
    )
    def test_an_assessment_counts_for_as_long_as_the_next_may_take(
        self, machine: Machine, ago: timedelta, *, assessed: bool
    ) -> None:
        said = self.unassessed([a_heartbeat(machine)], [an_assessment(machine, ago=ago)])

        assert said == ([] if assessed else [machine.id])

    def test_it_counts_under_the_agent_or_under_the_machine(self) -> None:
        nameless = an_assessment(ago=HOUR, _ResourceId="", VMUUID="", source=ONE.upper())

        assert self.unassessed([a_heartbeat()], [nameless]) == []
        assert self.unassessed([a_heartbeat()], [an_assessment(ago=HOUR, source=TWO)]) == []
        assert self.unassessed([a_heartbeat()], [an_assessment(API, ago=HOUR, source=TWO)]) == [WEB.id]

    @pytest.mark.parametrize(
        "beat",
        [
            a_heartbeat(solutions=WITHOUT),
            a_heartbeat(ago=12 * HOUR + SECOND),
            a_heartbeat(Category="Azure Monitor Agent"),
            a_heartbeat(Computer=""),
        ],
    )
    def test_only_machines_that_beat_with_the_solution_are_waited_for(self, beat: Document) -> None:
        assert self.unassessed([beat]) == []

    @pytest.mark.parametrize("solutions", ['"updates"', "updates", '"security", "updates"', '"UPDATES","security"'])
    def test_the_solution_is_found_in_every_form_of_the_list(self, solutions: str) -> None:
        assert self.unassessed([a_heartbeat(solutions=solutions)]) == [WEB.id]


class TestScopeExcluded:
    """`scope-excluded.kql`: machines that beat now, without the Updates solution."""

    def outside(self, *beats: Document) -> list[str]:
        return machines("scope-excluded", Heartbeat=beats)

    def test_the_newest_beat_decides(self) -> None:
        before, after = a_heartbeat(ago=HOUR / 2, solutions=WITHOUT), a_heartbeat(solutions=WITHOUT)

        assert self.outside(before, after) == [WEB.id]
        assert self.outside(before, a_heartbeat()) == []

    def test_a_silent_machine_is_not_asked_for_its_solutions(self) -> None:
        assert self.outside(a_heartbeat(ago=HOUR + SECOND, solutions=WITHOUT)) == []

    def test_the_newer_agent_never_carries_the_solution(self) -> None:
        assert self.outside(a_heartbeat(), a_heartbeat(Category="Azure Monitor Agent", solutions="")) == []


class TestIngestionStatus:
    """`ingestion-status.kql`: the newest word of the workspace on its own data collection."""

    STOPPED = "Data collection stopped due to daily limit of free data reached. Ingestion status = OverQuota"

    def operation(self, detail: str, *, ago: timedelta, category: str = "Data Collection Status") -> Document:
        return {"TimeGenerated": (NOW - ago).isoformat(), "OperationCategory": category, "Detail": detail}

    def test_the_newest_row_decides(self) -> None:
        stopped = self.operation(self.STOPPED, ago=5 * HOUR)
        resumed = self.operation("Data collection resumed", ago=HOUR)

        assert answered("ingestion-status", Operation=[resumed, stopped]) == [
            {"TimeGenerated": "2026-03-10T05:00:00Z", "Detail": "Data collection resumed"}
        ]
        assert [row["Detail"] for row in answered("ingestion-status", Operation=[stopped])] == [self.STOPPED]

    def test_other_categories_and_other_days_do_not_count(self) -> None:
        rows = [
            self.operation(self.STOPPED, ago=DAY + SECOND),
            self.operation(self.STOPPED, ago=HOUR, category="Solution targeting"),
        ]

        assert answered("ingestion-status", Operation=rows) == []

    def test_a_workspace_that_never_said_anything_may_lack_the_table(self) -> None:
        assert answered("ingestion-status", Heartbeat=[]) == []
