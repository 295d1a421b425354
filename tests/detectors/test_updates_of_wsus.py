"""Updates that a WSUS server withholds or does not let go, and those that only look wrong."""

from __future__ import annotations

import pytest

from detectors.installed_but_not_found import InstalledButNotFound
from detectors.kb2267602_missing import Kb2267602Missing
from detectors.protocol import Detector
from detectors.superseded_shown_missing import SupersededShownMissing
from detectors.updates_available_not_shown import UpdatesAvailableNotShown
from model.documents import Document, Json
from model.findings import Finding
from tests.builders import WORKSPACE, a_machine, facts
from tests.detectors.answers import found, unknown

WEB, SQL = a_machine("web-01"), a_machine("sql-01")
WSUS = "http://wsus01:8530"


def unapproved(kb: str, published: str, *machines: str, source: str = WSUS) -> Document:
    """A row of `updates-available-not-shown.kql`."""
    return {"Source": source, "KBID": kb, "Title": f"Update {kb}", "Published": published, "Machines": [*machines]}


def test_unapproved_updates_are_one_finding_on_their_server_the_oldest_first() -> None:
    rows = [
        unapproved("2", "2026-03-01T06:00:00Z", WEB.id),
        unapproved("1", "2026-01-09T06:00:00Z", WEB.id, SQL.id),
        unapproved("3", "", SQL.id),
    ]
    [one] = UpdatesAvailableNotShown().detect(facts(machines=[WEB, SQL], rows={"updates-available-not-shown": rows}))

    assert isinstance(one, Finding)
    assert one.target == "name:wsus01"
    assert one.reason == "3 updates that 2 machines need are not approved on wsus01"
    assert one.evidence["updates"] == [
        {"kb": "1", "title": "Update 1", "published": "2026-01-09T06:00:00Z", "ageInDays": 60, "machines": 2},
        {"kb": "2", "title": "Update 2", "published": "2026-03-01T06:00:00Z", "ageInDays": 9, "machines": 1},
        {"kb": "3", "title": "Update 3", "published": None, "ageInDays": None, "machines": 1},
    ]


@pytest.mark.parametrize("source", ["", "Error returned from unhealthy WUA agent"])
def test_where_the_server_is_not_known_the_workspace_has_the_finding(source: str) -> None:
    rows = [unapproved("1", "2026-01-09T06:00:00Z", WEB.id, source=source)]

    assert found(
        UpdatesAvailableNotShown().detect(facts(machines=[WEB, SQL], rows={"updates-available-not-shown": rows}))
    ) == [WORKSPACE.lower()]


def test_each_server_has_its_own() -> None:
    rows = [unapproved("1", "", WEB.id), unapproved("1", "", SQL.id, source="https://wsus02:8531")]

    assert found(
        UpdatesAvailableNotShown().detect(facts(machines=[WEB, SQL], rows={"updates-available-not-shown": rows}))
    ) == [
        "name:wsus01",
        "name:wsus02",
    ]


def test_machines_that_are_gone_need_nothing() -> None:
    gone = a_machine("gone")
    rows = [unapproved("1", "", gone.id), unapproved("2", "", gone.id, WEB.id, "name:onprem")]
    [one] = UpdatesAvailableNotShown().detect(facts(machines=[WEB], rows={"updates-available-not-shown": rows}))

    assert isinstance(one, Finding)
    assert (one.evidence["updateCount"], one.evidence["machines"]) == (1, [WEB.id, "name:onprem"])


def overtaken(state: str = "needed", **more: Json) -> Document:
    """A row of `superseded-updates.kql`."""
    row: Document = {
        "MachineId": WEB.id,
        "VmId": WEB.vm_id,
        "Computer": "web-01",
        "State": state,
        "KBs": ["KB5033371"],
        "By": ["5034768"],
        "Source": WSUS,
    }
    return row | more


def test_superseded_updates_are_one_finding_on_their_server() -> None:
    rows = [overtaken(), overtaken(MachineId=SQL.id, VmId=SQL.vm_id), overtaken("installed")]
    read = facts(machines=[WEB, SQL], rows={"superseded-updates": rows})
    [one] = SupersededShownMissing().detect(read)

    assert isinstance(one, Finding)
    assert one.target == "name:wsus01"
    assert (one.evidence["updates"], one.evidence["supersededBy"]) == (["5033371"], ["5034768"])
    assert one.evidence["machines"] == sorted([WEB.id, SQL.id])


def test_a_superseded_update_that_counts_as_installed_shows_on_the_machine_only() -> None:
    read = facts(machines=[WEB], rows={"superseded-updates": [overtaken("installed"), overtaken()]})

    assert unknown(InstalledButNotFound().detect(read)) == {
        WEB.id: "a diagnosis of the machine: whether its list of installed updates has KB5033371"
    }
    assert found(InstalledButNotFound().detect(read)) == []


def test_the_age_of_definitions_shows_on_the_machine_only() -> None:
    row: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01", "Published": "2026-03-05T06:00:00Z",
    }  # fmt: skip
    told = unknown(Kb2267602Missing().detect(facts(machines=[WEB], rows={"defender-definitions": [row]})))

    assert told.keys() == {WEB.id}
    assert "2026-03-05" in told[WEB.id]


@pytest.mark.parametrize(
    ("detector", "query"),
    [
        (UpdatesAvailableNotShown(), "updates-available-not-shown"),
        (SupersededShownMissing(), "superseded-updates"),
        (InstalledButNotFound(), "superseded-updates"),
        (Kb2267602Missing(), "defender-definitions"),
    ],
)
def test_what_could_not_be_read_is_unknown(detector: Detector, query: str) -> None:
    assert list(detector.detect(facts())) == []
    assert unknown(detector.detect(facts(unreadable={query: "503"}))) == {"": "503"}
