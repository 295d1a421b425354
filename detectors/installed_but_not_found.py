"""P3: an update is shown as installed and is not found on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from detectors.superseded_shown_missing import kb_list
from model.facts import Facts, Reading
from model.findings import Detection, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledButNotFound:
    """An update counts as installed because a later one replaced it, and is not in the machine's own list.

    Looks like: Update Management says that an update is installed, and the machine does not list it.
    Evidence: the newest assessment has the update as Installed, and the machine's list of installed updates lacks it.
    Healthy: the list has it. Nothing is broken where it does not: the later update holds all of the earlier one.
    Unknown: an assessment has both a superseded update and its successor as Installed, and the list of installed
    updates inside the machine is not at hand.
    Source: troubleshooting article, "Updates installed but not found on machine" (P3).
    """

    finds: ClassVar[FailureState] = FailureState.INSTALLED_BUT_NOT_FOUND
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"superseded-updates"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        for row in facts.rows["superseded-updates"]:
            if row.get("State") == "installed" and (reporting := reporters.of(row)):
                kbs = ", ".join(f"KB{kb}" for kb in kb_list(row, "KBs")[:5])
                missing = f"a diagnosis of the machine: whether its list of installed updates has {kbs}"
                yield Unknown(state=self.finds, target=reporting.target, missing=missing)
