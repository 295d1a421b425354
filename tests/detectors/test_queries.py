"""The queries beside the detectors, executed: what Log Analytics would answer on a handful of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from detectors.protocol import kql
from model.documents import Document, Json
from model.facts import Machine
from simulator.logs import LogStore
from tests.builders import DAY, HOUR, MINUTE, NOW, WORKSPACE_GUID, a_machine, guid, swapped

WEB, SQL = a_machine("web-01"), a_machine("sql-01")
ONE, TWO = guid("agent one"), guid("agent two")


def a_heartbeat(
    machine: Machine,
    source: str,
    *,
    ago: timedelta = MINUTE,
    category: str = "Direct Agent",
    vm_id: str | None = None,
    resource_id: str | None = None,
) -> Document:
    return {
        "TimeGenerated": stamp(NOW - ago),
        "Computer": f"{machine.name}.contoso.com",
        "SourceComputerId": source,
        "_ResourceId": machine.id if resource_id is None else resource_id,
        "VMUUID": machine.vm_id if vm_id is None else vm_id,
        "Category": category,
        "OSType": "Windows",
    }


def an_update(
    status: str, *, error: str = "", run: str = "run", source: str = ONE, update: str = "kb", ago: timedelta = HOUR
) -> Document:
    return {
        "TimeGenerated": stamp(NOW - ago),
        "CorrelationId": run,
        "SourceComputerId": source,
        "UpdateId": update,
        "InstallationStatus": status,
        "ErrorResult": error,
    }


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def answered(query: str, **logs: Sequence[Document]) -> list[dict[str, Json]]:
    return LogStore(WORKSPACE_GUID, logs).query(kql(query), NOW, None, None).objects()


class TestSourceIdChanged:
    """`source-id-changed.kql`: one row for each identity of a machine that had several."""

    def identities(self, *beats: Document) -> set[tuple[str, str]]:
        rows = answered("source-id-changed", Heartbeat=beats)
        return {(str(row["MachineId"]), str(row["SourceComputerId"])) for row in rows}

    def test_a_machine_that_changed_its_identity_has_a_row_for_each(self) -> None:
        rows = answered(
            "source-id-changed",
            Heartbeat=[
                a_heartbeat(SQL, ONE, ago=9 * DAY),
                a_heartbeat(SQL, ONE, ago=5 * DAY),
                a_heartbeat(SQL, TWO, ago=4 * DAY),
                a_heartbeat(SQL, TWO),
                a_heartbeat(WEB, guid("own")),
            ],
        )

        assert sorted(rows, key=lambda row: str(row["Last"])) == [
            {
                "MachineId": SQL.id,
                "SourceComputerId": ONE,
                "First": stamp(NOW - 9 * DAY),
                "Last": stamp(NOW - 5 * DAY),
                "VmId": SQL.vm_id,
                "Computer": "sql-01.contoso.com",
            },
            {
                "MachineId": SQL.id,
                "SourceComputerId": TWO,
                "First": stamp(NOW - 4 * DAY),
                "Last": stamp(NOW - MINUTE),
                "VmId": SQL.vm_id,
                "Computer": "sql-01.contoso.com",
            },
        ]

    @pytest.mark.parametrize("category", ["Azure Monitor Agent", "SCOM Management Server", ""])
    def test_beats_of_another_kind_of_agent_do_not_count(self, category: str) -> None:
        """The newer agent beats beside the old one, under an identity of its own."""
        assert self.identities(a_heartbeat(SQL, ONE), a_heartbeat(SQL, TWO, category=category)) == set()

    def test_an_agent_under_operations_manager_counts(self) -> None:
        beats = [a_heartbeat(SQL, ONE, ago=DAY), a_heartbeat(SQL, TWO, category="SCOM Agent")]

        assert self.identities(*beats) == {(SQL.id, ONE), (SQL.id, TWO)}

    def test_two_machines_of_one_name_do_not_make_one_that_changed(self) -> None:
        blue, green = a_machine("dup-01", group="rg-blue"), a_machine("dup-01", group="rg-green")

        assert self.identities(a_heartbeat(blue, ONE), a_heartbeat(green, TWO)) == set()

    def test_spelling_makes_no_second_machine_and_no_second_identity(self) -> None:
        beats = [a_heartbeat(SQL, ONE, ago=DAY), a_heartbeat(SQL, ONE.upper(), resource_id=SQL.arm_id)]

        assert self.identities(*beats) == set()

    @pytest.mark.parametrize("missing", [{"resource_id": ""}, {"source": ""}])
    def test_a_beat_without_machine_or_identity_is_left_out(self, missing: dict[str, str]) -> None:
        other = a_heartbeat(SQL, missing.get("source", TWO), resource_id=missing.get("resource_id"))

        assert self.identities(a_heartbeat(SQL, ONE, ago=DAY), other) == set()

    def test_a_moved_machine_has_one_identity_in_each_place(self) -> None:
        there = a_machine("sql-01", group="rg-legacy", vm_id=SQL.vm_id)

        assert self.identities(a_heartbeat(there, ONE, ago=DAY), a_heartbeat(SQL, ONE)) == set()

    def test_the_vm_id_is_that_of_an_identity_s_newest_beat(self) -> None:
        """A VM that was built anew from an image with the agent in it beats on under the image's identity."""
        beats = [a_heartbeat(SQL, ONE, ago=DAY, vm_id="ffffffff-0000-4000-8000-000000000000"), a_heartbeat(SQL, ONE)]
        rows = answered("source-id-changed", Heartbeat=[*beats, a_heartbeat(SQL, TWO, ago=2 * DAY)])

        assert {row["SourceComputerId"]: row["VmId"] for row in rows} == {ONE: SQL.vm_id, TWO: SQL.vm_id}

    def test_the_lookback_is_thirty_five_days(self) -> None:
        before, after = 35 * DAY - MINUTE, 35 * DAY + MINUTE

        assert self.identities(a_heartbeat(SQL, ONE, ago=before), a_heartbeat(SQL, TWO)) != set()
        assert self.identities(a_heartbeat(SQL, ONE, ago=after), a_heartbeat(SQL, TWO)) == set()


class TestClonedMachine:
    """`cloned-machine.kql`: the newest beat of each machine whose identity another one has too."""

    def sharers(self, *beats: Document) -> set[str]:
        return {str(row["MachineId"]) for row in answered("cloned-machine", Heartbeat=beats)}

    def test_machines_that_share_an_identity_have_a_row_each(self) -> None:
        rows = answered(
            "cloned-machine",
            Heartbeat=[
                a_heartbeat(SQL, ONE, ago=2 * MINUTE),
                a_heartbeat(SQL, ONE),
                a_heartbeat(WEB, ONE.upper(), ago=3 * MINUTE),
                a_heartbeat(a_machine("own"), TWO),
            ],
        )

        assert sorted(rows, key=lambda row: str(row["MachineId"])) == [
            {
                "MachineId": machine.id,
                "SourceComputerId": ONE,
                "VmId": machine.vm_id,
                "Computer": f"{machine.name}.contoso.com",
                "OSType": "Windows",
                "LastBeat": stamp(NOW - ago),
            }
            for machine, ago in ((SQL, MINUTE), (WEB, 3 * MINUTE))
        ]

    def test_a_machine_that_was_reset_is_not_held_against_its_former_identity(self) -> None:
        assert self.sharers(a_heartbeat(SQL, ONE), a_heartbeat(WEB, ONE, ago=HOUR), a_heartbeat(WEB, TWO)) == set()

    def test_the_newer_agent_does_not_count(self) -> None:
        assert self.sharers(a_heartbeat(SQL, ONE), a_heartbeat(WEB, ONE, category="Azure Monitor Agent")) == set()

    def test_one_name_and_two_identities_are_no_clones(self) -> None:
        blue, green = a_machine("dup-01", group="rg-blue"), a_machine("dup-01", group="rg-green")

        assert self.sharers(a_heartbeat(blue, ONE), a_heartbeat(green, TWO)) == set()

    def test_a_machine_outside_azure_goes_by_its_own_id(self) -> None:
        outside = a_heartbeat(a_machine("onprem"), ONE, resource_id="", vm_id=swapped(WEB.vm_id).upper())

        assert self.sharers(a_heartbeat(SQL, ONE), outside) == {SQL.id, f"vmuuid:{swapped(WEB.vm_id)}"}

    def test_one_that_fell_silent_a_day_ago_is_left_out(self) -> None:
        assert self.sharers(a_heartbeat(SQL, ONE), a_heartbeat(WEB, ONE, ago=DAY + MINUTE)) == set()


class TestFailedInstallations:
    """`failed-installations.kql`: machines on which updates failed with an error of their own, by run."""

    def failures(self, *updates: Document) -> dict[tuple[str, str], str]:
        rows = answered("failed-installations", UpdateRunProgress=updates)
        return {(str(row["RunId"]), str(row["SourceComputerId"])): str(row["Code"]) for row in rows}

    @pytest.mark.parametrize(
        ("status", "error", "counts"),
        [
            ("InstallFailed", "0x80244019", True),
            ("installfailed", "", True),
            ("Failed", "", True),
            ("InProgress", "0x8024402C", True),
            ("MaintenanceWindowExceeded", "", False),
            ("Succeeded", "", False),
            # It says what the first try met.
            ("Succeeded", "0x80244019", False),
            ("NotIncluded", "", False),
        ],
    )
    def test_a_failure_is_a_failed_status_or_an_error_code(self, status: str, error: str, counts: bool) -> None:  # noqa: FBT001
        assert self.failures(an_update(status, error=error)) == ({("run", ONE): error} if counts else {})

    def test_an_update_that_succeeded_on_the_second_try_has_not_failed(self) -> None:
        first = an_update("InstallFailed", error="0x80240016", ago=2 * HOUR)

        assert self.failures(first, an_update("Succeeded", ago=HOUR)) == {}
        assert self.failures(first, an_update("Succeeded", ago=3 * HOUR)) == {("run", ONE): "0x80240016"}
        assert self.failures(first, an_update("Succeeded", update="another")) == {("run", ONE): "0x80240016"}

    def test_machines_and_runs_are_told_apart(self) -> None:
        found = self.failures(
            an_update("InstallFailed", run="RUN-A", source=ONE.upper()),
            an_update("InstallFailed", run="run-b", source=TWO),
            an_update("Succeeded", run="run-b", source=ONE),
        )

        assert found.keys() == {("run-a", ONE), ("run-b", TWO)}
