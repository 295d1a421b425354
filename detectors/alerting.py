"""The failure states that an Azure Monitor log alert can watch for between two sweeps, with their own queries.

A state is here where each row of one query names a machine that very likely suffers from it. Azure shows a log alert
only the last two days, so what needs a longer memory, or a second source, is left to the nightly sweep. An alert
decides nothing: it makes the app look, at that machine and for that state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertable:
    """How a state is watched for."""

    query: str
    """Name of the `.kql` beside the detectors; one of its detector's own."""
    severity: int
    """Azure's: 1 is an error, 2 a warning, 3 is informational."""
    every: str = "PT1H"
    """ISO 8601: how often Azure asks. Each answer is paid for, so what changes by the day is asked for less often."""


DIMENSIONS: Final = ("MachineId", "Computer")
"""Columns that every such query has, by which an alert is split: one for each machine."""

ALERTABLE: Final[Mapping[FailureState, Alertable]] = {
    FailureState.CLONED_MACHINE: Alertable(query="cloned-machine", severity=2),
    FailureState.DUPLICATE_COMPUTER_NAME: Alertable(query="duplicate-computer-name", severity=3, every="P1D"),
    FailureState.MACHINES_DONT_INSTALL: Alertable(query="machines-dont-install", severity=2, every="PT6H"),
    FailureState.NOT_ASSESSED: Alertable(query="not-assessed", severity=2, every="PT6H"),
    FailureState.NO_HEARTBEAT: Alertable(query="no-heartbeat", severity=1),
    FailureState.REGISTRATION_BLOCKED: Alertable(query="registration-blocked", severity=2, every="PT6H"),
    FailureState.SCOPE_EXCLUDED: Alertable(query="scope-excluded", severity=3, every="P1D"),
    FailureState.SOURCE_ID_CHANGED: Alertable(query="source-id-changed", severity=1),
    FailureState.UPDATE_AGENT_ERROR: Alertable(query="update-agent-error", severity=2, every="PT6H"),
}
