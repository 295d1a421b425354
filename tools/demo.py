"""`make demo`: a night and a month of a simulated estate, with the commands that an operator would type.

The simulated Azure serves the sample fleet on loopback; a sweep as a dry run shows the plan, `apply` carries it out,
and each fix is verified by its detector while simulated time passes. Ends with status 0 only where all four states
were found, planned, applied and remediated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from simulator.fleets import sample
from simulator.serve import running

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = Path(sys.executable).with_name("patchwright")


WIDER: Final = {
    "PATCHWRIGHT_MAX_MACHINES": "100",
    "PATCHWRIGHT_MAX_PERCENT": "100",
    "PATCHWRIGHT_STORM_PERCENT": "100",
}
"""Limits that no real estate should have: the sample's deployments reach half of its few machines, and a third of those
are broken, which by default is a storm."""


def settings(simulated: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment of an operator who has unlocked the app and lets every state act."""
    return {
        **simulated,
        "DRY_RUN": "false",
        "PATCHWRIGHT_MODES": json.dumps({"*": "act"}),
        **WIDER,
        "PATCHWRIGHT_LEDGER": f"sqlite:{folder}/ledger.sqlite",
    }


STATES: Final = ("automation-rp-not-registered", "cloned-machine", "maintenance-window-exceeded", "source-id-changed")
"""What the sample estate suffers from: the demo fails where one of them is not found and mended."""


def demo() -> int:
    kept = ROOT / ".patchwright"
    kept.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=kept) as folder, running(sample()) as azure:
        env = {**os.environ, **settings(azure.settings, folder)}
        _say(f"A simulated Azure with {_machines()} machines; it is {azure.now:%d %B %Y, %H:%M} UTC.")
        _say(
            "By default a run touches 10 % of the machines at most, and none while more than 20 % are unhealthy. So "
            "small and so broken an estate needs wider limits: " + ", ".join(f"{k}={v}" for k, v in WIDER.items())
        )
        _say("The nightly sweep, as a dry run:")
        if status := _typed(env, "sweep"):
            return status
        listed = json.loads(_answer(env, "runs", "--json"))
        run = listed["runs"][0]["id"]
        _say("The plan is saved. Applying exactly that plan; simulated time moves on where a fix has to show:")
        status = _typed(env, "apply", run)
        missing = unmended(json.loads(_answer(env, "show", run, "--json")))
    if missing:
        _say("Not found, planned, applied and remediated: " + ", ".join(sorted(missing)))
        return 1
    _say("All four failure states were found, planned, repaired, and are found no more.")
    return status


def unmended(document: Mapping[str, list[dict[str, str]]]) -> set[str]:
    """The failure states of which no finding was planned, applied and remediated."""
    planned = {plan["finding"] for plan in document["plans"]}
    mended = {o["finding"] for o in document["outcomes"] if o["outcome"] == "remediated"} & planned
    states = {finding["state"] for finding in document["findings"] if finding["key"] in mended}
    return set(STATES) - states


def _machines() -> int:
    return sum(1 for document in sample().documents if str(document["type"]).lower().endswith("/virtualmachines"))


def _say(text: str) -> None:
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"\n{bold}# {text}{plain}", flush=True)


def _typed(env: Mapping[str, str], *arguments: str) -> int:
    print(f"\n$ patchwright {' '.join(arguments)}\n", flush=True)
    return subprocess.run([COMMAND, *arguments], env=env, check=False).returncode


def _answer(env: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run([COMMAND, *arguments], env=env, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(demo())
