"""`python -m tests.upgrades.make FOLDER`: what this version leaves behind, for the next versions to read.

Run when a version is made, once, and committed: `test_upgrades.py` reads every folder that there is. It holds two
ledgers, of a run that was applied and verified and of one that is only planned, both runs' documents as this version
tells them, and the histories of every orchestration.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Final

from model.documents import Document, Json
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.triggers.app import UNLOCKED, App, the_app

STATES: Final[list[Json]] = ["automation-rp-not-registered", "maintenance-window-exceeded", "source-id-changed"]


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    documents: Document = {}
    for name in ("applied", "planned"):
        with tempfile.TemporaryDirectory() as place, running(sample(), options=Options(retry_after=0)) as azure:
            ledger = Path(place) / "ledger.sqlite"
            with the_app(azure, ledger, UNLOCKED) as app:
                run = app.swept(states=STATES)
                if name == "applied":
                    app.post(f"/runs/{run['id']}/apply")
                    app.finish()
                    write(folder, "histories.json", [remembered(app, number) for number in range(len(app.instances))])
                documents[name] = app.run(str(run["id"]))
            with contextlib.closing(sqlite3.connect(ledger)) as connection:
                connection.execute("VACUUM INTO ?", (str(folder / f"{name}.sqlite"),))
    write(folder, "runs.json", documents)


def remembered(app: App, number: int) -> object:
    one = app.instances[number]
    return {"id": one.id, "name": one.name, "input": one.input, "parent": one.parent, "history": one.history}


def write(folder: Path, name: str, value: object) -> None:
    (folder / name).write_text(json.dumps(value, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
