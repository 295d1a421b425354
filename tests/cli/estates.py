"""Estates as folders, as an export leaves them, whole or with something wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from model.documents import Document
from simulator.fleet import Fleet, save_folder
from simulator.fleets import sample

HOSTILE: Final = "web\"$(reboot)`id`\n| take 1 //\x1b[31m [red]</td><script>alert(1)</script>'\u202e"
"""A name that means something to a shell, to KQL, to a terminal, to rich's markup and to a browser."""


def a_folder(path: Path, fleet: Fleet | None = None) -> Path:
    save_folder(fleet or sample(), path)
    return path


def with_hostile_names(fleet: Fleet) -> Fleet:
    """Every machine and every deployment is called `HOSTILE`; who is who is still told by the ids."""
    return dataclasses.replace(fleet, documents=[_renamed(document) for document in fleet.documents])


def _renamed(document: Document) -> Document:
    kind = str(document["type"]).rpartition("/")[2].lower()
    if kind == "virtualmachines":
        return {**document, "name": HOSTILE, "tags": {HOSTILE: HOSTILE}}
    return document
