"""What a sweep finds of generated estates, against what they really suffer from: precision and recall, state by state.

`python -m bench.ground_truth [MACHINES [SEEDS [FIRST]]]`. Each estate is swept through the real path: the simulated
Azure over HTTP, Azure's SDK clients, every detector. The two share a process, so that an estate costs a second or two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import composition
from engine.inline import drive
from engine.process import PROCESSES
from engine.requests import SweepRequest, new_run_id
from engine.run_document import run_document
from engine.settings import Settings
from simulator.fleet import Fleet
from simulator.serve import running

MACHINES: Final = 2000
SEEDS: Final = 50
AT_ONCE: Final = 2

type Key = tuple[str, str]
"""State and target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One estate's truth beside what was said of it."""

    injured: frozenset[Key]
    spared: frozenset[Key]
    explained: frozenset[Key]
    found: frozenset[Key]
    followed: Mapping[Key, str]
    """What came of each finding: `plan` or `advice`."""
    meant: Mapping[Key, str]
    """What should have come of it."""
    unknown: frozenset[Key]

    @property
    def missed(self) -> frozenset[Key]:
        return self.injured - self.found

    @property
    def false(self) -> frozenset[Key]:
        return self.found - self.injured

    @property
    def otherwise(self) -> dict[Key, str]:
        """Findings of which something else came than should have."""
        return {key: then for key, then in self.followed.items() if self.meant.get(key, then) != then}

    @property
    def doubted(self) -> frozenset[Key]:
        """Doubts about what is neither a decoy nor explained by anything."""
        explained = {state for state, _ in self.explained}
        return frozenset(key for key in self.unknown if key not in self.spared and key[0] not in explained)


def judged(fleet: Fleet, run: Mapping[str, Any]) -> Verdict:
    """What a sweep of an estate says, held against the estate's truth."""
    truth: Mapping[str, Any] = fleet.truth or {}
    return Verdict(
        injured=_keys(truth["found"]),
        spared=_keys(truth["notFound"]),
        explained=_keys(truth["explained"]),
        found=_keys(run["findings"]),
        followed={
            _key(each["finding"]): then
            for then, listed in (("plan", run["plans"]), ("advice", run["advice"]))
            for each in listed
        },
        meant={(each["state"], each["target"]): each["then"] for each in truth["found"]},
        unknown=_keys(run["unknown"]),
    )


def swept(fleet: Fleet) -> dict[str, Any]:
    """The run document of a dry run over all states."""
    with tempfile.TemporaryDirectory() as folder, running(fleet) as azure:
        engine = composition.build(
            Settings.from_env({**azure.settings, "PATCHWRIGHT_LEDGER": f"sqlite:{Path(folder) / 'ledger.sqlite'}"})
        )
        request = SweepRequest(run=new_run_id(engine.clock.now()), trigger="cli", dry_run=True)
        engine.accept(request)
        drive(PROCESSES["sweep"](request.document), engine.activities, engine.clock)
        document = run_document(engine.ledger.entries(request.run))
    assert document is not None
    return document


def _keys(listed: Iterable[Mapping[str, Any]]) -> frozenset[Key]:
    return frozenset((each["state"], each["target"]) for each in listed)


def _key(finding: str) -> Key:
    state, _, target = finding.partition(":")
    return state, target
