"""Settings of modes for tests of what happens around a sweep.

Looking for all states takes a simulated Azure two dozen queries each time; four states with a plan each tell as much
about runs, alerts, timers and commands. That the others are found is proven where detectors are.
"""

from __future__ import annotations

import json
from typing import Final

from model.states import FailureState, Mode

FEW: Final = (
    FailureState.AUTOMATION_RP_NOT_REGISTERED,
    FailureState.CLONED_MACHINE,
    FailureState.MAINTENANCE_WINDOW_EXCEEDED,
    FailureState.SOURCE_ID_CHANGED,
)


def few(mode: Mode) -> str:
    """`PATCHWRIGHT_MODES` with a few states in `mode` and nobody looking for the others."""
    return json.dumps({"*": Mode.OFF.value, **{state.value: mode.value for state in FEW}})
