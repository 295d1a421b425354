"""P3: an update is shown as installed and is not found on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.inside import a_diagnosis, inside, worth_a_look
from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from detectors.superseded_shown_missing import kb_list
from model.diagnosis import INSTALLED_UPDATES, Diagnosis, OperatingSystem
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledButNotFound:
    """An update counts as installed because a later one replaced it, and is not in the machine's own list.

    Looks like: Update Management says that an update is installed, and the machine does not list it.
    Evidence: the newest assessment has the update as Installed, and the machine's list of installed updates lacks it.
    Healthy: the list has it. Nothing is broken where it does not: the later update holds all of the earlier one.
    Unknown: an assessment has both a superseded update and its successor as Installed, and the list of installed
    updates inside the machine is not at hand, or longer than a diagnosis can tell.
    Source: troubleshooting article, "Updates installed but not found on machine" (P3).
    """

    finds: ClassVar[FailureState] = FailureState.INSTALLED_BUT_NOT_FOUND
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"superseded-updates"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """Machines whose assessment has a superseded update as installed."""
        reporters = Reporters(facts)
        rows = [row for row in facts.rows.get("superseded-updates", ()) if row.get("State") == "installed"]
        told = [one.target for row in rows if (one := reporters.of(row))]
        return worth_a_look(facts, told, OperatingSystem.WINDOWS)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        for row in facts.rows["superseded-updates"]:
            reporting = reporters.of(row)
            if row.get("State") != "installed" or reporting is None:
                continue
            kbs, diagnosis = kb_list(row, "KBs"), facts.diagnoses.get(reporting.target)
            if not isinstance(diagnosis, Diagnosis) or diagnosis.updates is None:
                listed = ", ".join(f"KB{kb}" for kb in kbs[:5])
                told = inside(facts, reporting.target, INSTALLED_UPDATES)
                missing = a_diagnosis(f"whether its list of installed updates has {listed}", told)
                yield Unknown(state=self.finds, target=reporting.target, missing=missing)
            elif lost := [kb for kb in kbs if kb not in diagnosis.updates]:
                listed = ", ".join(f"KB{kb}" for kb in lost[:5])
                yield Finding(
                    state=self.finds,
                    target=reporting.target,
                    name=reporting.name,
                    reason=f"the logs have {listed} as installed, and the machine's own list does not",
                    evidence={"updates": [*lost], "replacedBy": [*kb_list(row, "By")]},
                )
