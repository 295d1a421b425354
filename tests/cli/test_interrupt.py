"""Ctrl-C is never lost, wherever Python is when it comes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

# A signal that comes while a finaliser runs is raised in there, and Python only prints what a finaliser raises.
SWALLOWED = """
import os, signal, sys, time
from cli.interrupt import end_now, interruptible, listen

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.Signals(int(sys.argv[1])))
        for _ in range(1000):  # somewhere in here the handler runs
            pass
        print("left behind", flush=True)

listen()
last = Last()
del last
print("goes on", flush=True)
try:
    interruptible(lambda: time.sleep(60))
except KeyboardInterrupt as asked:
    print(type(asked).__name__, flush=True)
    end_now(7)
"""


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")], ids=["ctrl-c", "term"]
)
def test_what_is_raised_in_a_finaliser_still_ends_the_command(number: signal.Signals, name: str) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED, str(int(number))], capture_output=True, text=True, timeout=50, check=False
    )

    assert "Exception ignored in" in done.stderr  # it was swallowed indeed
    assert (done.returncode, done.stdout.splitlines()) == (7, ["goes on", name])
    assert time.monotonic() - began < 30
