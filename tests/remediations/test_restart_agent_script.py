"""`restart-agent.sh`, run for real: in a scratch root, with an agent and a systemd that note how they were called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.parts import program

SCRIPT = Path(__file__).parents[2] / "remediations" / "scripts" / "linux" / "restart-agent.sh"
WINDOWS = SCRIPT.parents[1] / "windows" / "restart-agent.ps1"
STEP = "0123456789abcdef"
UNIT = "omsagent-32c54844-187d-566c-8a42-4937861ab9c9.service"
SHELLS = ("dash", "bash")


class Guest:
    """A Linux machine with the agent, until something is changed."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.shell, self.root, self.bin, self.calls = program(shell), folder / "root", folder / "bin", folder / "calls"
        self.bin.mkdir()
        for tool in ("awk", "find", "mkdir", "sh", "touch", "tr"):
            real = shutil.which(tool)
            assert real, tool
            (self.bin / tool).symlink_to(real)
        self.enabled, self.active, self.ends = "enabled", "inactive", 0
        self.agent = self.root / "opt/microsoft/omsagent/bin/service_control"
        self.agent.parent.mkdir(parents=True)

    def runs(self, step: str = STEP) -> tuple[int, dict[str, object]]:
        """Exit code and outcome."""
        self._program(self.agent, f'echo "service_control $*" >>"{self.calls}"\nexit {self.ends}')
        self._program(
            self.bin / "systemctl",
            f'case "$1" in\nlist-unit-files) echo "{UNIT} {self.enabled}" ;;\n'
            f'is-enabled) echo "{self.enabled}" ;;\nis-active) echo "{self.active}" ;;\n'
            f'*) echo "systemctl $*" >>"{self.calls}" ;;\nesac',
        )
        ended = subprocess.run(
            [self.shell, str(SCRIPT)],
            env={"PATH": str(self.bin), "PATCHWRIGHT_ROOT": str(self.root), "StepId": step},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        (line,) = ended.stdout.splitlines()
        found = json.loads(line.removeprefix("patchwright-outcome: "))
        assert isinstance(found, dict)
        assert ended.stderr == ""
        return ended.returncode, found

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    @staticmethod
    def _program(file: Path, body: str) -> None:
        if file.parent.is_dir():
            file.write_text(f"#!/bin/sh\n{body}\n")
            file.chmod(0o755)


@pytest.fixture(params=SHELLS)
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> Guest:
    return Guest(tmp_path, str(request.param))


def test_a_stopped_agent_is_started_by_its_own_program(guest: Guest) -> None:
    assert guest.runs() == (
        0,
        {"outcome": "restarted", "before": "inactive", "after": "inactive", "repeated": False},
    )
    assert guest.called() == ["service_control restart"]


def test_the_same_step_within_the_hour_restarts_a_running_agent_once(guest: Guest) -> None:
    guest.active = "active"

    assert guest.runs()[1]["repeated"] is False
    assert guest.runs()[1]["repeated"] is True
    assert guest.called() == ["service_control restart"]


def test_another_step_and_another_hour_restart_it_again(guest: Guest) -> None:
    guest.active = "active"
    guest.runs()
    guest.runs("f" * 16)
    mark = guest.root / "run/patchwright" / f"{STEP}.restarted"
    os.utime(mark, (mark.stat().st_atime - 3700, mark.stat().st_mtime - 3700))
    guest.runs()

    assert guest.called() == ["service_control restart"] * 3


def test_an_agent_that_stopped_again_is_started_again(guest: Guest) -> None:
    guest.runs()
    guest.runs()

    assert guest.called() == ["service_control restart"] * 2


@pytest.mark.parametrize("enabled", ["disabled", "masked"])
def test_an_agent_that_somebody_disabled_is_left_alone(guest: Guest, enabled: str) -> None:
    guest.enabled = enabled

    assert guest.runs() == (3, {"outcome": "refused", "reason": "agent-disabled"})
    assert guest.called() == []


def test_without_an_agent_there_is_nothing_to_restart(guest: Guest) -> None:
    shutil.rmtree(guest.agent.parent)

    assert guest.runs() == (3, {"outcome": "refused", "reason": "agent-not-installed"})


def test_a_restart_that_fails_is_told(guest: Guest) -> None:
    guest.ends = 4

    assert guest.runs() == (1, {"outcome": "failed", "reason": "service_control ended with 4"})


@pytest.mark.parametrize(
    "step", ["", "short", "0123456789abcdeg", "0123456789abcdef0", "../../etc/passwd", '$(touch "x")']
)
def test_a_step_of_another_form_is_refused(guest: Guest, step: str) -> None:
    assert guest.runs(step) == (3, {"outcome": "refused", "reason": "StepId is not of the expected form"})
    assert guest.called() == []


def test_shellcheck_has_nothing_to_say() -> None:
    ended = subprocess.run(
        [program("shellcheck"), str(SCRIPT)], capture_output=True, text=True, check=False, timeout=60
    )

    assert (ended.returncode, ended.stdout) == (0, "")


def test_on_windows_nothing_but_the_agent_s_own_service_is_named_and_a_disabled_one_is_refused_first() -> None:
    script = WINDOWS.read_text(encoding="utf-8")
    body = script[script.index("try {") :]

    assert body.index("agent-disabled") < body.index("Restart-Service -Name HealthService")
    assert "Set-Service" not in script
