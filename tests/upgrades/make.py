"""`python -m tests.upgrades.make FOLDER`: what this version leaves behind, for the next versions to read.

Run when a version is made, once, and committed: `test_upgrades.py` reads every folder that there is. It holds two
ledgers, of a run that was applied and verified after one that asked a person, and of one that is only planned; both
runs' documents as this version tells them; the histories of every orchestration; and the rows of a ledger in Table
Storage with what it held.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from azure.data.tables import TableClient

from adapters.ledgers.tables import TableLedger
from engine.ports import Entry
from model.documents import Document, Json
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.support.azurite import azurite_tables
from tests.triggers.app import UNLOCKED, App, objects, the_app

NOW: Final = datetime(2026, 3, 10, 6, tzinfo=UTC)
ASKED: Final = "automation-rp-not-registered"
ASKING: Final = f'{{"*": "act", "{ASKED}": "ask"}}'
STATES: Final[list[Json]] = ["maintenance-window-exceeded", "source-id-changed"]


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    documents: Document = {}
    for name in ("applied", "planned"):
        with tempfile.TemporaryDirectory() as place, running(sample(), options=Options(retry_after=0)) as azure:
            ledger = Path(place) / "ledger.sqlite"
            with the_app(azure, ledger, {**UNLOCKED, "PATCHWRIGHT_MODES": ASKING}) as app:
                if name == "applied":
                    answered(app)
                run = app.swept(states=STATES)
                if name == "applied":
                    app.post(f"/runs/{run['id']}/apply")
                    app.finish()
                    write(folder, "histories.json", [remembered(app, number) for number in range(len(app.instances))])
                documents[name] = app.run(str(run["id"]))
            with contextlib.closing(sqlite3.connect(ledger)) as connection:
                connection.execute("VACUUM INTO ?", (str(folder / f"{name}.sqlite"),))
    write(folder, "runs.json", documents)
    write(folder, "rows.json", rows(documents))


def answered(app: App) -> None:
    """A run that asks a person about two treatments, of which one is rejected and one approved."""
    app.swept(dry_run=False, states=[ASKED])
    first, second = objects(app.get("/approvals").json, "approvals")
    for approval, decision in ((first, "reject"), (second, "approve")):
        app.post(f"/approvals/{approval['id']}", {"decision": decision, "reason": "for the history"})
        app.finish()


def rows(documents: Document) -> Document:
    """A table's rows with their types, and the entries that they are: small ones, and one too large for a row."""
    entries = [
        Entry(run="20260310T060000-rows", id=f"entry {name}", kind="plan", at=NOW, body={name: body}, about=f"/{name}")
        for name, body in (*documents.items(), ("large", large()), ("odd", "\ud800 \u2028"))
    ]
    with tempfile.TemporaryDirectory() as place, azurite_tables(Path(place)) as connection_strings:
        connection_string = next(iter(connection_strings))
        ledger = TableLedger.from_connection_string(connection_string, table="ledger")
        ledger.append(entries)
        ledger.claim("key", "holder", NOW, NOW + timedelta(days=1))
        ledger.close()
        with TableClient.from_connection_string(connection_string, "ledger") as table:
            found: list[Json] = [{name: typed(value) for name, value in row.items()} for row in table.list_entities()]
    return {"rows": found, "entries": [to_json(entry) for entry in entries]}


def large() -> str:
    """A text that does not fit into a row, however well it is packed; told again by whoever reads the rows."""
    return hashlib.shake_256(b"large").hexdigest(270_000)


def typed(value: object) -> Json:
    """A property so that it comes back as what it was."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    assert isinstance(value, str | int)
    return value


def to_json(entry: Entry) -> Document:
    """Without the text that `large` tells."""
    body: Document = {name: value for name, value in entry.body.items() if name != "large"}
    return {"run": entry.run, "id": entry.id, "kind": entry.kind, "about": entry.about, "body": body}


def remembered(app: App, number: int) -> object:
    one = app.instances[number]
    return {"id": one.id, "name": one.name, "input": one.input, "parent": one.parent, "history": one.history}


def write(folder: Path, name: str, value: object) -> None:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True) + "\n"
    (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
