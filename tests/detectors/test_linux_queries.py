"""The queries of the Linux states, executed: what Log Analytics would answer on a handful of rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from model.documents import Document
from model.facts import Machine
from tests.builders import DAY, HOUR, MINUTE, NOW, a_machine
from tests.detectors.test_queries import answered, stamp

LIN, OTHER = a_machine("lin-01", os="Linux"), a_machine("lin-02", os="Linux")


class TestLinuxFailedPackages:
    """`linux-failed-packages.kql`: what failed to install, by machine, run and package."""

    def row(
        self, status: str, *, product: str = "zlib", run: str = "RUN-1", ago: timedelta = HOUR, os: str = "Linux"
    ) -> Document:
        return {
            "TimeGenerated": stamp(NOW - ago),
            "CorrelationId": run,
            "_ResourceId": LIN.arm_id,
            "OSType": os,
            "Product": product,
            "Title": product,
            "InstallationStatus": status,
            "ErrorResult": "E: broken",
        }

    def failed(self, *rows: Document) -> set[tuple[str, str, str]]:
        found = answered("linux-failed-packages", UpdateRunProgress=rows)
        return {(str(row["MachineId"]), str(row["RunId"]), str(row["Package"])) for row in found}

    @pytest.mark.parametrize(
        ("status", "counts"),
        [("InstallFailed", True), ("failed", True), ("Succeeded", False), ("MaintenanceWindowExceeded", False)],
    )
    def test_a_failed_status_counts(self, status: str, counts: bool) -> None:  # noqa: FBT001
        assert self.failed(self.row(status)) == ({(LIN.id, "run-1", "zlib")} if counts else set())

    def test_a_package_s_newest_row_of_a_run_decides(self) -> None:
        first = self.row("InstallFailed", ago=2 * HOUR)

        assert self.failed(first, self.row("Succeeded")) == set()
        assert self.failed(first, self.row("Succeeded", run="run-2")) == {(LIN.id, "run-1", "zlib")}

    def test_windows_is_left_out_and_a_package_without_a_product_goes_by_its_title(self) -> None:
        titled = {**self.row("Failed"), "Product": "", "Title": "bash"}

        assert self.failed(self.row("Failed", os="Windows"), titled) == {(LIN.id, "run-1", "bash")}

    def test_rows_of_machines_without_a_resource_id_are_left_out(self) -> None:
        assert self.failed({**self.row("Failed"), "_ResourceId": ""}) == set()


class TestLinuxDistributions:
    """`linux-distributions.kql`: machines that beat as CentOS now."""

    def beat(self, os_name: str, *, ago: timedelta = MINUTE, category: str = "Direct Agent") -> Document:
        return {
            "TimeGenerated": stamp(NOW - ago),
            "_ResourceId": LIN.arm_id,
            "VMUUID": LIN.vm_id,
            "Computer": "lin-01",
            "Category": category,
            "OSType": "Linux",
            "OSName": os_name,
        }

    def centos(self, *beats: Document) -> list[str]:
        return [str(row["MachineId"]) for row in answered("linux-distributions", Heartbeat=beats)]

    @pytest.mark.parametrize(("name", "counts"), [("CentOS", True), ("CentOS Linux", True), ("Ubuntu", False)])
    def test_centos_has_a_row(self, name: str, counts: bool) -> None:  # noqa: FBT001
        assert self.centos(self.beat(name)) == ([LIN.id] if counts else [])

    def test_what_beats_now_decides(self) -> None:
        assert self.centos(self.beat("CentOS", ago=HOUR), self.beat("Ubuntu")) == []

    def test_the_newer_agent_and_old_beats_do_not_count(self) -> None:
        assert self.centos(self.beat("CentOS", category="Azure Monitor Agent")) == []
        assert self.centos(self.beat("CentOS", ago=12 * HOUR + MINUTE)) == []

    def test_a_machine_outside_azure_goes_by_its_own_id(self) -> None:
        assert self.centos({**self.beat("CentOS"), "_ResourceId": ""}) == [f"vmuuid:{LIN.vm_id}"]


class TestLinuxPendingAfterRun:
    """`linux-pending-after-run.kql`: security updates that are needed for long and that no run has touched."""

    def update(
        self,
        machine: Machine = LIN,
        *,
        ago: timedelta,
        state: str = "Needed",
        classification: str = "Security Updates",
        product: str = "openssl",
        version: str = "1.1.1-2",
    ) -> Document:
        return {
            "TimeGenerated": stamp(NOW - ago),
            "_ResourceId": machine.arm_id,
            "OSType": "Linux",
            "OSName": "Ubuntu",
            "Product": product,
            "ProductArch": "x86_64",
            "ProductVersion": version,
            "Classification": classification,
            "UpdateState": state,
        }

    def progress(self, status: str = "InstallFailed", *, ago: timedelta = DAY) -> Document:
        return {
            "TimeGenerated": stamp(NOW - ago),
            "_ResourceId": LIN.arm_id,
            "OSType": "Linux",
            "Product": "openssl",
            "InstallationStatus": status,
        }

    def pending(self, *updates: Document, progress: tuple[Document, ...] = ()) -> dict[str, float]:
        rows = answered("linux-pending-after-run", Update=updates, UpdateRunProgress=progress)
        found: dict[str, float] = {}
        for row in rows:
            count = row["Packages"]
            assert isinstance(count, int | float)
            found[str(row["MachineId"])] = found.get(str(row["MachineId"]), 0) + count
        return found

    LONG = 3 * DAY

    def needed(self, **more: Any) -> tuple[Document, Document]:
        return self.update(ago=self.LONG, **more), self.update(ago=HOUR, **more)

    def test_what_is_needed_for_days_has_a_row_with_its_first_and_last_time(self) -> None:
        (row,) = answered("linux-pending-after-run", Update=self.needed(), UpdateRunProgress=[])

        assert (row["MachineId"], row["Packages"], row["Package"]) == (LIN.id, 1, "openssl")
        assert (row["First"], row["Seen"]) == (stamp(NOW - self.LONG), stamp(NOW - HOUR))

    def test_packages_of_a_day_are_counted_together(self) -> None:
        assert self.pending(*self.needed(), *self.needed(product="zlib")) == {LIN.id: 2}

    def test_others_and_what_is_installed_since_are_left_out(self) -> None:
        assert self.pending(*self.needed(classification="Others")) == {}
        assert self.pending(self.update(ago=self.LONG), self.update(ago=HOUR, state="Installed")) == {}

    def test_a_machine_that_is_not_assessed_any_more_is_left_out(self) -> None:
        assert self.pending(self.update(ago=self.LONG), self.update(ago=5 * HOUR + MINUTE)) == {}

    def test_a_newer_version_is_another_update(self) -> None:
        assert self.pending(self.update(ago=self.LONG), self.update(ago=HOUR, version="1.1.1-3")) == {}

    def test_what_a_run_has_touched_is_left_out_unless_it_was_before(self) -> None:
        assert self.pending(*self.needed(), progress=(self.progress(),)) == {}
        assert self.pending(*self.needed(), progress=(self.progress("NotIncluded"),)) == {LIN.id: 1}
        assert self.pending(*self.needed(), progress=(self.progress(ago=9 * DAY),)) == {LIN.id: 1}
