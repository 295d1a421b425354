"""What our scripts do inside a simulated guest.

A script is recognised by its header line `# patchwright-script: <name>`; its text is not executed. Any other script
fails, because a guest that pretended to have run it would prove nothing. Like the real scripts, each ends with one
line `patchwright-outcome: {json}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from simulator import linux_scripts, windows_scripts
from simulator.diagnosing import diagnosis_of
from simulator.guests import Guest
from simulator.outcomes import Effects, ScriptResult

_HEADER: Final = re.compile(r"^\s*#\s*patchwright-script:\s*(\S+)\s*$", re.MULTILINE)
_DIAGNOSE: Final = "diagnose"


def run_script(text: str, guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Run one of our scripts; `parameters` by lower-case name."""
    found = _HEADER.search(text)
    if found is None:
        return _cannot("a script without a patchwright-script header")
    name, for_linux = found[1].lower(), text.startswith("#!")
    if name == _DIAGNOSE:
        return ScriptResult(exit_code=0, stdout=diagnosis_of(guest))
    match guest.os.lower():
        case "windows" if not for_linux and name in windows_scripts.SCRIPTS:
            return windows_scripts.run(name, guest, parameters, effects)
        case "linux" if for_linux and name in linux_scripts.SCRIPTS:
            return linux_scripts.run(name, guest, parameters, effects)
        case os:
            return _cannot(f"the script '{name}'{'' if for_linux else ' of PowerShell'} on {os or 'an unknown system'}")


def _cannot(what: str) -> ScriptResult:
    return ScriptResult(exit_code=1, stderr=f"the simulated guest cannot run {what}")
