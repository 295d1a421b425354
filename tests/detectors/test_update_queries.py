"""The queries about updates and the update agent, executed: what Log Analytics would answer on a handful of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from detectors.protocol import kql
from model.documents import Document, Json
from model.facts import Machine
from simulator.logs import LogStore
from tests.builders import DAY, HOUR, MINUTE, NOW, WORKSPACE_GUID, a_machine, guid

WEB, SQL = a_machine("web-01"), a_machine("sql-01")
WSUS = "http://wsus01:8530"
UNWELL = "Error returned from unhealthy WUA agent"
TITLE = "Cumulative Update for Windows Server 2019 for x64-based Systems"


def about(machine: Machine, ago: timedelta) -> Document:
    return {
        "TimeGenerated": (NOW - ago).isoformat().replace("+00:00", "Z"),
        "Computer": f"{machine.name}.contoso.com",
        "SourceComputerId": guid(f"agent of {machine.id}").upper(),
        "_ResourceId": machine.arm_id,
        "VMUUID": machine.vm_id,
        "OSType": machine.os,
    }


def a_summary(machine: Machine = WEB, setting: str = "Notify before installation", wsus: str = "", *, ago: timedelta = HOUR) -> Document:  # fmt: skip  # noqa: E501
    return about(machine, ago) | {"WindowsUpdateSetting": setting, "WSUSServer": wsus}


def a_progress(
    status: str,
    error: str = "",
    *,
    machine: Machine = WEB,
    run: str = "r1",
    of: str = "Weekly",
    update: str = "u1",
    ago: timedelta = HOUR,
) -> Document:
    return about(machine, ago) | {
        "CorrelationId": run,
        "UpdateRunName": of,
        "UpdateId": update,
        "KBID": update.removeprefix("u"),
        "InstallationStatus": status,
        "ErrorResult": error,
    }


def an_update(
    state: str = "Needed",
    *,
    machine: Machine = WEB,
    update: str = "u1",
    kb: str = "5034768",
    title: str = f"2026-02 {TITLE} (KB5034768)",
    approved: Json = True,
    by: str = "Microsoft Update",
    classification: str = "Security Updates",
    published: timedelta = 20 * DAY,
    ago: timedelta = HOUR,
) -> Document:
    return about(machine, ago) | {
        "UpdateID": update,
        "UpdateState": state,
        "KBID": kb,
        "Title": title,
        "Approved": approved,
        "ApprovalSource": by,
        "Classification": classification,
        "PublishedDate": (NOW - published).isoformat().replace("+00:00", "Z"),
    }


def answered(query: str, **logs: Sequence[Document]) -> list[dict[str, Json]]:
    tables = {"UpdateSummary": (), "UpdateRunProgress": (), "Update": (), "Event": ()} | logs
    return LogStore(WORKSPACE_GUID, tables).query(kql(query), NOW, None, None).objects()


class TestUpdateAgentError:
    """`update-agent-error.kql`: errors of the newest scan and of each deployment's newest run."""

    def errors(self, **logs: Sequence[Document]) -> set[tuple[str, str]]:
        return {(str(row["Phase"]), str(row["Text"])) for row in answered("update-agent-error", **logs)}

    def test_an_unwell_agent_has_a_row_with_its_text_and_its_server(self) -> None:
        summaries = [a_summary(wsus=WSUS, ago=3 * DAY), a_summary(setting=UNWELL, wsus="0x8024402C")]
        [row] = answered("update-agent-error", UpdateSummary=[*summaries, a_summary(SQL, wsus=WSUS)])

        assert row == {
            "MachineId": WEB.id,
            "VmId": WEB.vm_id,
            "Computer": "web-01.contoso.com",
            "Phase": "scan",
            "Text": "0x8024402C",
            "Deployment": "",
            "KBs": [],
            "Seen": "2026-03-10T05:00:00Z",
            "Source": WSUS,
            "Clients": 2,
        }

    def test_the_newest_assessment_decides(self) -> None:
        """Also where it is a day old: a machine that reports no more is another state's."""
        assert self.errors(UpdateSummary=[a_summary(setting=UNWELL, wsus="x", ago=5 * HOUR), a_summary()]) == set()
        assert self.errors(UpdateSummary=[a_summary(setting=UNWELL, wsus="x", ago=DAY + MINUTE)]) == set()

    @pytest.mark.parametrize(
        ("progress", "texts"),
        [
            ([a_progress("InstallFailed", "0x80244019")], {"0x80244019"}),
            ([a_progress("MaintenanceWindowExceeded", "0x80244019")], {"0x80244019"}),
            ([a_progress("InstallFailed")], set()),
            ([a_progress("Succeeded", "0x80244019")], set()),
            # The second try of an update succeeded.
            ([a_progress("InstallFailed", "0x1", ago=2 * HOUR), a_progress("Succeeded")], set()),
            # A later run of the same deployment went well; one of another deployment says nothing of this.
            ([a_progress("InstallFailed", "0x1", ago=7 * DAY), a_progress("Succeeded", run="r2")], set()),
            ([a_progress("InstallFailed", "0x1", ago=7 * DAY), a_progress("Succeeded", run="r2", of="Daily")], {"0x1"}),
            ([a_progress("InstallFailed", "0x1", machine=a_machine("db", os="Linux"))], set()),
        ],
    )
    def test_an_update_s_error_counts_in_the_newest_run_of_its_deployment(
        self, progress: list[Document], texts: set[str]
    ) -> None:
        assert self.errors(UpdateRunProgress=progress) == {("install", text) for text in texts}

    def test_the_same_error_of_several_updates_is_one_row(self) -> None:
        progress = [a_progress("InstallFailed", "0x80244019"), a_progress("InstallFailed", "0x80244019", update="u2")]
        [row] = answered("update-agent-error", UpdateRunProgress=progress)

        assert sorted(str(kb) for kb in row["KBs"]) == ["1", "2"]  # type: ignore[union-attr] # a list, by the query
        assert row["Deployment"] == "weekly"


class TestMachinesDontInstall:
    """`machines-dont-install.kql`: approved updates that failed in the newest run and are still needed."""

    @pytest.mark.parametrize(
        ("update", "status", "counts"),
        [
            (an_update(), "InstallFailed", True),
            (an_update(), "Failed", True),
            (an_update(approved=None), "Failed", True),
            (an_update(), "Succeeded", False),
            (an_update("Installed"), "InstallFailed", False),
            (an_update(approved=False, by="WSUS"), "InstallFailed", False),
            (an_update(ago=15 * HOUR), "InstallFailed", False),
            (an_update(update="another"), "InstallFailed", False),
        ],
    )
    def test_a_failed_update_counts_while_it_is_needed(self, update: Document, status: str, counts: bool) -> None:  # noqa: FBT001
        rows = answered("machines-dont-install", Update=[update], UpdateRunProgress=[a_progress(status)])

        assert [(row["MachineId"], row["KBs"]) for row in rows] == ([(WEB.id, ["1"])] if counts else [])

    @pytest.mark.parametrize(
        ("before", "again"),
        [
            ([a_progress("InstallFailed", ago=7 * DAY, run="r0")], ["1"]),
            ([a_progress("Succeeded", ago=7 * DAY, run="r0")], []),
            # The same run says it twice.
            ([a_progress("InstallFailed", ago=3 * HOUR)], []),
            ([], []),
        ],
    )
    def test_it_says_what_failed_in_a_run_before_it_too(self, before: list[Document], again: list[str]) -> None:
        progress = [*before, a_progress("InstallFailed")]
        [row] = answered("machines-dont-install", Update=[an_update()], UpdateRunProgress=progress)

        assert row["KBs"] == ["1"]
        assert [kb for kb in row["Again"] if kb] == again  # type: ignore[union-attr] # a list

    def test_a_later_run_that_went_well_ends_it(self) -> None:
        progress = [a_progress("InstallFailed", ago=7 * DAY), a_progress("Succeeded", run="r2")]

        assert answered("machines-dont-install", Update=[an_update()], UpdateRunProgress=progress) == []


class TestUpdatesAvailableNotShown:
    """`updates-available-not-shown.kql`: needed, not approved, one row for each update and server."""

    @pytest.mark.parametrize(
        ("update", "counts"),
        [
            (an_update(approved=False, by="WSUS"), True),
            (an_update(approved=False, by="Windows Server Update Services, WSUS"), True),
            (an_update(approved=True, by="WSUS"), False),
            (an_update(approved=None, by="WSUS"), False),
            (an_update(approved=False), False),
            (an_update("Installed", approved=False, by="WSUS"), False),
            (an_update(approved=False, by="WSUS", classification="Definition Updates"), False),
            (an_update(approved=False, by="WSUS", ago=15 * HOUR), False),
        ],
    )
    def test_an_update_counts_while_it_is_needed_and_not_approved(self, update: Document, counts: bool) -> None:  # noqa: FBT001
        rows = answered("updates-available-not-shown", Update=[update])

        assert [row["KBID"] for row in rows] == (["5034768"] if counts else [])

    def test_the_machines_of_one_server_stand_together(self) -> None:
        updates = [an_update(approved=False, by="WSUS", machine=machine) for machine in (WEB, SQL)]
        [row] = answered(
            "updates-available-not-shown",
            Update=updates,
            UpdateSummary=[a_summary(WEB, wsus=WSUS.upper()), a_summary(SQL, wsus=WSUS)],
        )

        assert row["Source"] == WSUS
        assert sorted(str(each) for each in row["Machines"]) == [SQL.id, WEB.id]  # type: ignore[union-attr] # a list


class TestSupersededUpdates:
    """`superseded-updates.kql`: monthly updates that a later one of the same title, which is installed, replaced."""

    LATER = an_update("Installed")

    def overtaken(self, update: Document, *more: Document, wsus: str = WSUS) -> list[tuple[Json, Json]]:
        rows = answered("superseded-updates", Update=[update, self.LATER, *more], UpdateSummary=[a_summary(wsus=wsus)])
        return [(row["State"], row["KBs"]) for row in rows]

    def before(self, state: str = "Needed", *, title: str = f"2026-01 {TITLE} (KB5033371)", machine: Machine = WEB) -> Document:  # fmt: skip  # noqa: E501
        return an_update(state, update="u0", kb="5033371", title=title, machine=machine)

    @pytest.mark.parametrize("state", ["Needed", "Installed"])
    def test_an_earlier_one_of_the_same_title_was_overtaken(self, state: str) -> None:
        assert self.overtaken(self.before(state)) == [(state.lower(), ["5033371"])]

    @pytest.mark.parametrize(
        "title",
        [
            f"2026-02 {TITLE} (KB5033371)",
            f"2026-03 {TITLE} (KB5033371)",
            "2026-01 Cumulative Update for Windows Server 2022 for x64-based Systems (KB5033371)",
            "2026-01 Cumulative Update for .NET Framework 3.5 and 4.8 for Windows Server 2019 (KB5033371)",
            # Not cumulative: a later one does not hold it.
            "2026-01 Security Only Quality Update for Windows Server 2012 R2 (KB5033371)",
            "Security Update for Windows Server 2019 (KB5033371)",
        ],
    )
    def test_a_later_or_another_update_was_not(self, title: str) -> None:
        assert self.overtaken(self.before(title=title)) == []

    def test_another_machine_s_update_replaces_nothing(self) -> None:
        assert self.overtaken(self.before(machine=SQL)) == []

    def test_only_clients_of_a_server_lack_what_nobody_declined(self) -> None:
        assert self.overtaken(self.before(), wsus="") == []


class TestDefenderDefinitions:
    """`defender-definitions.kql`: the newest definition update that a machine knows is old, and needed."""

    @pytest.mark.parametrize(
        ("updates", "counts"),
        [
            ([an_update(kb="2267602", published=3 * DAY + MINUTE)], True),
            # A new one every day: being needed for a while is how it should be.
            ([an_update(kb="2267602", published=3 * DAY - MINUTE)], False),
            ([an_update("Installed", kb="2267602", published=9 * DAY)], False),
            ([an_update(kb="2267602", published=9 * DAY), an_update(kb="2267602", update="u2", published=DAY)], False),
            ([an_update(published=9 * DAY)], False),
        ],
    )
    def test_a_machine_is_suspect_while_its_newest_definitions_are_days_old(
        self, updates: list[Document], counts: bool  # noqa: FBT001
    ) -> None:  # fmt: skip
        assert [row["MachineId"] for row in answered("defender-definitions", Update=updates)] == [WEB.id] * counts


class TestUpdatesWithoutDeployment:
    """`updates-without-deployment.kql`: machines on their own schedule, and what they installed outside every run."""

    SCHEDULED = a_summary(setting="Scheduled installation")

    @pytest.mark.parametrize(
        ("setting", "counts"),
        [
            ("Scheduled installation", True),
            ("scheduled installation", True),
            ("Notify before installation", False),
            (UNWELL, False),
            ("", False),
        ],
    )
    def test_the_setting_of_the_newest_assessment_decides(self, setting: str, counts: bool) -> None:  # noqa: FBT001
        earlier = a_summary(setting="Scheduled installation", ago=5 * HOUR)
        rows = answered("updates-without-deployment", UpdateSummary=[earlier, a_summary(setting=setting)])

        assert [row["MachineId"] for row in rows] == [WEB.id] * counts

    @pytest.mark.parametrize(
        ("updates", "progress", "kbs"),
        [
            ([an_update(ago=2 * DAY), an_update("Installed")], [], ["5034768"]),
            # A run installed it, however its id is spelled.
            ([an_update(ago=2 * DAY), an_update("Installed")], [a_progress("Succeeded", update="U1")], None),
            ([an_update("Installed")], [], None),
            ([an_update("Installed", ago=2 * DAY), an_update()], [], None),
            ([an_update(ago=4 * DAY), an_update("Installed")], [], None),
            ([an_update(ago=2 * DAY, classification="Definition Updates"),
              an_update("Installed", classification="Definition Updates")], [], None),
        ],
    )  # fmt: skip
    def test_what_was_needed_and_is_installed_without_a_run_is_the_effect(
        self, updates: list[Document], progress: list[Document], kbs: list[str] | None
    ) -> None:
        [row] = answered(
            "updates-without-deployment", UpdateSummary=[self.SCHEDULED], Update=updates, UpdateRunProgress=progress
        )

        assert (row["KBs"] or None) == kbs

    def test_the_deployments_that_ran_on_it_are_named(self) -> None:
        progress = [a_progress("Succeeded", of=name, run=name, ago=30 * DAY) for name in ("Weekly", "Monthly")]
        [row] = answered("updates-without-deployment", UpdateSummary=[self.SCHEDULED], UpdateRunProgress=progress)

        assert sorted(str(each) for each in row["Deployments"]) == ["monthly", "weekly"]  # type: ignore[union-attr] # a list


class TestUnexplainedReboots:
    """`unexplained-reboots.kql`: restarts within a day after a run began."""

    def event(self, id_: int, source: str = "User32", *, ago: timedelta = HOUR, machine: Machine = WEB) -> Document:
        return about(machine, ago) | {
            "EventLog": "System",
            "EventID": id_,
            "Source": source,
            "RenderedDescription": "The process X has initiated the restart",
        }

    def restarts(self, *events: Document, started: timedelta = 5 * HOUR) -> list[tuple[Json, Json]]:
        rows = answered("unexplained-reboots", UpdateRunProgress=[a_progress("Succeeded", ago=started)], Event=events)
        return [(row["EventID"], row["Text"]) for row in rows]

    @pytest.mark.parametrize(
        ("id_", "source", "text"),
        [
            (1074, "User32", "The process X has initiated the restart"),
            (6005, "EventLog", ""),
            (6009, "EventLog", ""),
            (41, "Microsoft-Windows-Kernel-Power", ""),
        ],
    )
    def test_a_restart_after_a_run_has_a_row(self, id_: int, source: str, text: str) -> None:
        assert self.restarts(self.event(id_, source)) == [(id_, text)]

    @pytest.mark.parametrize(
        ("ago", "started"),
        [(6 * HOUR, 5 * HOUR), (MINUTE, DAY + 2 * MINUTE), (2 * DAY + MINUTE, 2 * DAY + HOUR)],
        ids=["before the run", "more than a day after", "long ago"],
    )
    def test_a_restart_that_no_run_preceded_has_none(self, ago: timedelta, started: timedelta) -> None:
        assert self.restarts(self.event(1074, ago=ago), started=started) == []

    def test_other_events_and_other_machines_have_none(self) -> None:
        assert self.restarts(self.event(41, "Other"), self.event(7036), self.event(1074, machine=SQL)) == []
