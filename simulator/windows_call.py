"""A script that runs in a simulated Windows machine: what it was told, and the records that it keeps.

Like the real ones, each keeps its records under `C:\\ProgramData\\Patchwright`, named after the step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from model.documents import Document, Json
from simulator.guests import File, Guest
from simulator.outcomes import Effects, fail, refuse

FOLDER: Final = "C:\\ProgramData\\Patchwright\\"

type Fields = tuple[str, dict[str, Json]]
"""How a script ends well: its outcome, and what else its last line says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A script that runs: the machine, and what it was told."""

    guest: Guest
    parameters: Mapping[str, str]
    effects: Effects

    @property
    def step(self) -> str:
        return self.parameters["stepid"].lower()

    def path(self, ending: str) -> str:
        return f"{FOLDER}{self.step}{ending}"

    def has(self, ending: str) -> bool:
        return self.path(ending).lower() in self.guest.files

    def read(self, ending: str) -> str:
        return self.guest.files[self.path(ending).lower()].text

    def write(self, ending: str, text: str = "") -> None:
        self.guest.files[self.path(ending).lower()] = File(text=text, written=self.effects.now())

    def remove(self, *endings: str) -> None:
        for ending in endings:
            self.guest.files.pop(self.path(ending).lower(), None)

    def move(self, ending: str, to: str) -> None:
        self.guest.files[self.path(to).lower()] = self.guest.files.pop(self.path(ending).lower())

    def age(self, ending: str) -> timedelta:
        return self.effects.now() - self.guest.files[self.path(ending).lower()].written

    def hash(self, ending: str) -> str:
        return hashlib.sha256(self.read(ending).encode()).hexdigest()

    def restart_agent(self) -> None:
        if self.guest.agent_start != "Automatic":
            fail("Service 'Microsoft Monitoring Agent (HealthService)' cannot be started.")
        self.guest.running = True
        self.effects.restarted(self.guest)

    def record_to_undo(self, checked: str = "sha256") -> tuple[Document, str, bool]:
        """The record of a change, its hash, and whether it was undone before; refused where it is not the right one."""
        repeated = not self.has(".json")
        ending = ".undone.json" if repeated else ".json"
        if not self.has(ending):
            refuse("no-record")
        if self.hash(ending) != self.parameters[checked].lower():
            refuse("record-changed")
        record: Document = json.loads(self.read(ending))
        return record, self.hash(ending), repeated

    def undone(self, *, repeated: bool) -> None:
        """The record stays, under a name that says that it has been used."""
        if not repeated:
            self.move(".json", ".undone.json")
        self.remove(".done")

    def recorded(self) -> dict[str, Json]:
        """Where the record of a change is, for the last line."""
        return {"recordPath": self.path(".json"), "sha256": self.hash(".json")}
