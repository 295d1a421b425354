"""The simulated guests know the real scripts: the same names, parameters, outcomes and reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.guests import Guest, WorkerKey
from simulator.scripts import SCRIPTS, Effects, ScriptResult, run_script

FOLDER = Path(__file__).parents[2] / "remediations" / "scripts"
# The diagnosis changes nothing in a guest and ends otherwise: tests/remediations/test_diagnose_*.py.
REAL = {
    file.stem: file.read_text("utf-8")
    for file in sorted(FOLDER.rglob("*.*"))
    if file.suffix in {".ps1", ".sh"} and file.stem != "diagnose"
}
STEP, OTHER = "0123456789abcdef", "f" * 64


def a_guest(*, key: bool = True, user_group: str = "", os: str = "Windows") -> Guest:
    held = WorkerKey(source_computer_id="11111111-0000-4000-8000-000000000001", user_group=user_group)
    return Guest(agent="/vm", os=os, key=held if key else None)


def run(text: str, guest: Guest, **parameters: str) -> ScriptResult:
    return run_script(
        text, guest, {name.lower(): value for name, value in parameters.items()}, Effects(restarted=print)
    )


def test_every_behaviour_has_a_script() -> None:
    assert SCRIPTS.keys() <= REAL.keys()


@pytest.mark.parametrize("name", sorted(REAL.keys() - SCRIPTS.keys()))
def test_a_script_without_a_behaviour_fails_loudly(name: str) -> None:
    """A fix that the simulated guest cannot carry out must never look as if it had worked."""
    result = run(REAL[name], a_guest(), StepId=STEP, Sha256=OTHER)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr


@pytest.mark.parametrize("name", REAL)
def test_a_script_names_itself_in_its_first_line_but_for_the_shell(name: str) -> None:
    lines = [line for line in REAL[name].splitlines() if not line.startswith("#!")]
    assert lines[0] == f"# patchwright-script: {name}"


def every_result(name: str) -> list[ScriptResult]:
    """What the simulated script says in each of its situations."""
    done = a_guest()
    run("# patchwright-script: reset-worker-key", done, StepId=STEP)
    guests = [a_guest(), a_guest(user_group="Batch"), a_guest(key=False), done]
    return [run(REAL[name], guest, StepId=STEP, Sha256=OTHER) for guest in guests]


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_the_simulated_script_says_the_real_one_can_say(name: str) -> None:
    """Outcome, reason and field names stand in the real script's text, and its exit codes too."""
    for result in every_result(name):
        assert f"}} {result.exit_code}" in REAL[name]
        said = re.findall(r'"(\w+)":', result.stdout) + re.findall(r'"(?:outcome|reason)":"([a-z-]+)"', result.stdout)
        assert said
        assert [word for word in said if word not in REAL[name]] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_parameter_that_the_real_script_refuses_the_simulated_one_refuses(name: str) -> None:
    patterns = dict(re.findall(r"\[ValidatePattern\('\^(.+?)\$'\)\]\[string\]\$(\w+)", REAL[name]))
    good = {"StepId": STEP, "Sha256": OTHER}
    for pattern, parameter in patterns.items():
        assert re.fullmatch(pattern, good[parameter])
        for bad in ("", good[parameter][:-1], good[parameter] + "0", "$(calc)"):
            result = run(REAL[name], a_guest(), **{**good, parameter: bad})
            assert (result.exit_code, result.stdout) == (1, "")
            assert parameter in result.stderr


def test_another_script_or_system_fails_loudly() -> None:
    assert run("Remove-Item C:\\ -Recurse", a_guest()).exit_code == 1
    assert run("# patchwright-script: unheard-of", a_guest()).exit_code == 1
    assert run(REAL["reset-worker-key"], a_guest(os="Linux"), StepId=STEP).exit_code == 1
