"""An export is an estate that can be swept and simulated again, with the same findings."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.export import export, keep_diagnoses
from cli.diagnoses import kept_in
from engine.ports import Entry
from model.documents import Document
from model.findings import Finding
from model.states import FailureState
from simulator.fleet import Fleet, load_folder
from simulator.fleets import generate
from tests.adapters.world import a_world
from tests.builders import NOW
from tests.diagnoses import an_answer
from tests.engine.fakes import MemoryLedger
from tests.support.parts import shared


def fleet_of(name: str) -> Fleet:
    if name == "generated":
        return generate(120, 1)
    return load_folder(shared(f"fleets/{name}"))


def key(finding: Finding) -> tuple[object, ...]:
    return finding.state, finding.target, finding.reason, finding.since, json.dumps(finding.evidence, sort_keys=True)


@pytest.mark.parametrize("name", ["generated", "contoso"])
def test_a_sweep_of_an_export_finds_the_same(name: str, tmp_path: Path) -> None:
    """To the last word of the evidence; and exporting changes nothing."""
    fleet = fleet_of(name)
    with a_world(fleet) as world:
        live, live_unknown = world.found()
        written = export(world.estate, tmp_path)
        assert world.writes() == []
    assert written.missing == ()
    again = load_folder(tmp_path)
    assert (again.now, again.subscriptions) == (fleet.now, fleet.subscriptions)
    with a_world(again) as world:
        exported, exported_unknown = world.found()
    assert sorted(map(key, exported)) == sorted(map(key, live))
    assert sorted(u.target for u in exported_unknown) == sorted(u.target for u in live_unknown)
    assert live
    # It tells its causes by what the jobs wrote, which is not among their documents.
    assert name != "generated" or FailureState.LINUX_RUN_FAILED in {finding.state for finding in live}


def by_id(documents: list[Document]) -> dict[str, Document]:
    return {str(document["id"]).lower(): document for document in documents}


def test_documents_are_written_as_azure_sent_them(tmp_path: Path) -> None:
    """Deployments, saved searches, groups and machines are in the export what they are in the fleet, field by field."""
    fleet = generate(30, 2)
    with a_world(fleet) as world:
        export(world.estate, tmp_path)
    before, after = by_id(fleet.documents), by_id(load_folder(tmp_path).documents)
    kinds = (
        "softwareUpdateConfigurations",
        "savedSearches",
        "virtualMachines",
        "hybridRunbookWorkerGroups",
        "workspaces",
    )
    for id_, document in before.items():
        if str(document["type"]).endswith(kinds):
            assert after[id_] == document


def test_rows_are_in_time_order_and_fewer_than_there_were(tmp_path: Path) -> None:
    fleet = generate(30, 2)
    with a_world(fleet) as world:
        export(world.estate, tmp_path)
    exported = load_folder(tmp_path)
    for table, rows in exported.logs.items():
        times = [str(row["TimeGenerated"]) for row in rows]
        assert times == sorted(times), table
        assert len(times) <= sum(1 for _ in fleet.logs[table]), table
    assert set(exported.logs) <= set(fleet.logs)


def test_what_could_not_be_read_is_told(tmp_path: Path) -> None:
    """A file that would be short is not written, and an older one does not stay in its place."""
    with a_world(generate(20, 2)) as world:
        export(world.estate, tmp_path)
        assert (tmp_path / "arm" / "softwareUpdateConfigurationRuns.json").exists()
        assert (tmp_path / "logs" / "Heartbeat.jsonl").exists()
        world.azure.order(
            {"kind": "error", "status": 403, "code": "AuthorizationFailed", "path": "ConfigurationRuns"},
            {"kind": "partial", "query": "Heartbeat"},
        )
        written = export(world.estate, tmp_path)
    assert any("softwareUpdateConfigurationRuns" in what and "403" in what for what in written.missing)
    assert any("only a part" in what for what in written.missing)
    assert not (tmp_path / "arm" / "softwareUpdateConfigurationRuns.json").exists()
    assert not (tmp_path / "logs" / "Heartbeat.jsonl").exists()


def test_what_machines_said_of_their_inside_is_kept_for_a_day(tmp_path: Path) -> None:
    """The newest of each machine, as it was printed; a failed look is nothing to keep."""
    ledger = MemoryLedger()

    def heard(run: str, machine: str, *, ago: timedelta, **said: str) -> None:
        ledger.append([Entry(run=run, id="run", kind="run", at=NOW - ago, body={})])
        body: Document = dict(said)
        ledger.append([Entry(run=run, id=f"p:{machine}", kind="probed", at=NOW - ago, body=body, about=machine)])

    heard("run-1", "/a", ago=timedelta(hours=25), os="windows", text="older than a day")
    heard("run-2", "/b", ago=timedelta(hours=3), os="windows", text="before")
    heard("run-2", "/c", ago=timedelta(hours=3), unreadable="it is not running")
    heard("run-3", "/b", ago=timedelta(hours=2), os="windows", text=an_answer())

    assert keep_diagnoses(tmp_path, ledger, NOW) == 1
    assert kept_in(tmp_path) == {"/b": an_answer()}


def test_diagnoses_of_an_earlier_export_do_not_stay(tmp_path: Path) -> None:
    (tmp_path / "guest").mkdir()
    (tmp_path / "guest" / "diagnoses.json").write_text('{"/old": {"diagnosis": "x"}}')

    assert keep_diagnoses(tmp_path, MemoryLedger(), NOW) == 0
    assert kept_in(tmp_path) == {}
