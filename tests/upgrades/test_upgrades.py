"""A new version goes on where an old one stopped: its ledger is read, its plans apply, its orchestrations end well.

Each folder beside this file is what one version left behind, made by `make.py` when that version was current.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableClient

from adapters.ledgers.tables import TableLedger
from devhost.durable import Instance
from model.documents import Document, Json
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.triggers.app import UNLOCKED, App, objects, outcomes, the_app
from tests.triggers.test_replay import TASKS, asked, episodes
from tests.upgrades.make import large, to_json

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
VERSIONS = sorted(path for path in Path(__file__).parent.iterdir() if (path / "runs.json.gz").is_file())


def read(version: Path, name: str) -> Any:
    return json.loads(gzip.decompress((version / f"{name}.gz").read_bytes()))


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda path: path.name)
def version(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@contextmanager
def upgraded(version: Path, ledger: str, folder: Path) -> Iterator[App]:
    """This version on a ledger of an old one, in front of the estate that the old one planned for."""
    shutil.copy(version / f"{ledger}.sqlite", folder / "ledger.sqlite")
    with (
        running(sample(), options=Options(retry_after=0)) as azure,
        the_app(azure, folder / "ledger.sqlite", UNLOCKED) as app,
    ):
        yield app


@pytest.fixture
def app(version: Path, tmp_path: Path) -> Iterator[App]:
    with upgraded(version, "applied", tmp_path) as app:
        yield app


def told_less(old: Json, new: Json, where: str = "") -> Iterator[str]:
    """Where a document does not say any more what it said; what was added is welcome."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            if name not in new:
                yield f"{where}.{name} is gone"
            else:
                yield from told_less(value, new[name], f"{where}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from told_less(before, after, f"{where}[{number}]")
    elif old != new:
        yield f"{where}: {old!r:.80} has become {new!r:.80}"


def test_there_is_a_version_to_come_from() -> None:
    assert VERSIONS


def test_a_run_of_an_old_version_is_told_as_it_told_it(version: Path, app: App) -> None:
    old = read(version, "runs.json")["applied"]
    assert list(told_less(old, app.run(old["id"]))) == []
    assert old["id"] in {one["id"] for one in objects(app.get("/runs").json, "runs")}


def test_an_orchestration_in_flight_goes_on_with_what_the_old_version_would_have_done(version: Path, app: App) -> None:
    """
    Whenever the deployment comes: shown the history up to any moment, this version asks for all that was asked for
    already, in the same order, and next for what happened next.
    """
    checked = 0
    for one in read(version, "histories.json"):
        parent = tuple(one["parent"]) if one["parent"] else None
        created = datetime(2026, 3, 10, tzinfo=UTC)
        instance = Instance(id=one["id"], name=one["name"], input=one["input"], created=created, parent=parent)
        instance.history = one["history"]
        before: list[Document] = []
        for events in episodes(instance):
            actions = asked(app.host, instance, events)
            assert actions[: len(before)] == before, f"{one['name']}: replayed with {events} events"
            before = actions
            checked += 1
        scheduled = [event for event in instance.history if event["EventType"] in TASKS]
        assert len(before) == len(scheduled), f"{one['name']} asked for something else than was carried out"
    assert checked > 20


def test_a_plan_that_an_old_version_saved_is_applied_as_it_stands(version: Path, tmp_path: Path) -> None:
    planned = read(version, "runs.json")["planned"]["id"]
    with upgraded(version, "planned", tmp_path) as app:
        assert app.post(f"/runs/{planned}/apply").status == 202
        app.finish()
        run = app.run(planned)

    ended = outcomes(run)
    assert run["status"] == "completed"
    assert set(ended.values()) == {"remediated", "declined"}


def test_the_rows_of_an_old_version_are_read(version: Path, azurite: str) -> None:
    """In Table Storage: entries small and large, in their order, and who holds which key."""
    kept = read(version, "rows.json")
    name = f"old{uuid.uuid4().hex}"
    with TableClient.from_connection_string(azurite, name) as table:
        table.create_table()
        for row in kept["rows"]:
            table.create_entity({key: _untyped(value) for key, value in row.items()})
    ledger = TableLedger.from_connection_string(azurite, table=name)

    found = ledger.entries(kept["entries"][0]["run"])
    assert [to_json(entry) for entry in found] == kept["entries"]
    assert [entry.body["large"] for entry in found if "large" in entry.body] == [large()]
    assert ledger.holders(["key"], NOW) == {"key": "holder"}
    ledger.close()


def _untyped(value: Any) -> Any:
    match value:
        case {"bytes": text}:
            return base64.b64decode(text)
        case {"time": text}:
            return datetime.fromisoformat(text)
        case _:
            return value
