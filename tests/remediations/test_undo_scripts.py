"""The scripts that undo other scripts are told what they ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model.plans import RunScript
from remediations.undo_scripts import CHANGE_NOTHING, NOTHING_TO_PUT_BACK, PARAMETERS, undoing

SCRIPTS = Path(__file__).parents[2] / "remediations" / "scripts"


def asked(script: str) -> set[str]:
    """The parameters that a script declares, or takes from its environment."""
    text = (SCRIPTS / script).read_text(encoding="utf-8")
    if script.endswith(".ps1"):
        return set(re.findall(r"^    \[Parameter\(Mandatory.*\$(\w+),?$", text, re.MULTILINE))
    return set(re.findall(r"\$\{([A-Z][a-z]\w+):-", text))


def test_every_script_that_restores_is_known_and_nothing_else() -> None:
    there = {f"{file.parent.name}/{file.name}" for file in SCRIPTS.glob("*/restore-*")}
    assert there == set(PARAMETERS)


@pytest.mark.parametrize("script", sorted(PARAMETERS))
def test_a_script_is_told_exactly_what_it_asks_for(script: str) -> None:
    assert asked(script) == set(PARAMETERS[script])


@pytest.mark.parametrize("script", sorted(NOTHING_TO_PUT_BACK))
def test_a_script_that_nothing_undoes_is_there_and_changes_something(script: str) -> None:
    assert (SCRIPTS / script).is_file()
    assert script not in PARAMETERS.keys() | CHANGE_NOTHING


@pytest.mark.parametrize("script", sorted(CHANGE_NOTHING))
def test_a_script_that_changes_nothing_is_there(script: str) -> None:
    assert (SCRIPTS / script).is_file()


@pytest.mark.parametrize(
    ("undo_script", "result", "parameters"),
    [
        (None, {"sha256": "ab"}, None),
        ("windows/restore-registry.ps1", {"sha256": "ab"}, {"StepId": "1", "Sha256": "ab"}),
        ("windows/restore-registry.ps1", {}, None),
        ("windows/restore-machine-keys.ps1", {"parentSha256": "a"}, None),
        (
            "windows/restore-machine-keys.ps1",
            {"parentSha256": "a", "keysSha256": "b"},
            {"StepId": "1", "ParentSha256": "a", "KeysSha256": "b"},
        ),
        ("linux/restore-rpmdb.sh", {}, {"StepId": "1", "LockSeconds": "300"}),
    ],
)
def test_what_the_first_script_said_is_what_the_second_is_told(
    undo_script: str | None, result: dict[str, str], parameters: dict[str, str] | None
) -> None:
    """Without what it has to know there is no script to send."""
    step = RunScript(
        machine="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m",
        location="westeurope",
        script="windows/x.ps1",
        parameters={"StepId": "1", "LockSeconds": "300"},
        undo_script=undo_script,
    )

    back = undoing(step, dict(result))

    assert (dict(back.parameters) if back else None) == parameters
