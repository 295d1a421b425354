"""`approvals`, `approve`, `reject`, `pause` and `resume`: what a person says at a command line."""

from __future__ import annotations

from typing import Final

import pytest

from model.documents import text_at
from simulator.serve import Simulator
from tests.cli.conftest import Shell
from tests.cli.test_apply import outcomes
from tests.cli.test_sweep import objects, writes

STATE: Final = "automation-rp-not-registered"
ONE: Final = "/subscriptions/6f1a14d8-2aa2-5c27-a1b5-c2e880af718c"
"""One of the two subscriptions of the sample that suffer from it."""


@pytest.fixture
def asking(unlocked: Shell) -> Shell:
    return Shell(folder=unlocked.folder, env={**unlocked.env, "PATCHWRIGHT_MODES": f'{{"*": "off", "{STATE}": "ask"}}'})


def swept(shell: Shell, *arguments: str) -> str:
    ended = shell("sweep", "--apply", "--json", "--state", STATE, *arguments)
    assert ended.status == 0, ended.err
    return str(ended.json["id"])


def test_what_asks_waits_and_goes_on_when_somebody_approves(asking: Shell, azure: Simulator) -> None:
    """The sweep ends at once and changes nothing; the yes treats and verifies, in the terminal where it is said."""
    run = swept(asking, "--machine", ONE)
    assert writes(azure) == []
    assert "1 to approve" in asking("show", run).out
    (approval,) = objects(asking("approvals", "--json").json, "approvals")

    ended = asking("approve", text_at(approval, "id"), "--reason", "agreed")

    assert ended.status == 0, ended.err
    assert "remediated: not found any more" in ended.out
    assert len(writes(azure)) == 1
    document = asking("show", run, "--json").json
    assert (document["status"], outcomes(document)) == ("completed", {text_at(approval, "finding"): "remediated"})
    (answered,) = objects(document, "approvals")
    assert (answered["status"], answered["reason"]) == ("approved", "agreed")
    assert answered["by"]


def test_the_list_says_what_to_type(asking: Shell) -> None:
    """Each question with its target, its end, and both answers as commands."""
    swept(asking, "--machine", ONE)
    (approval,) = objects(asking("approvals", "--json").json, "approvals")

    said = asking("approvals").out

    assert f"patchwright approve {approval['id']} --reason WHY" in said
    assert f"patchwright reject {approval['id']} --reason WHY" in said
    assert "until Wed 11 Mar 06:00 UTC" in said


def test_a_rejection_is_final(asking: Shell, azure: Simulator) -> None:
    run = swept(asking, "--machine", ONE)

    assert asking("reject", run, "--reason", "not this quarter").status == 0

    assert "refused: approval: rejected by" in asking("show", run).out
    again = asking("approve", run, "--reason", "after all")
    assert again.status == 1
    assert asking("approvals").out == "Nothing waits for an answer.\n"
    assert writes(azure) == []


def test_what_could_be_meant_twice_is_asked_back(asking: Shell, azure: Simulator) -> None:
    run = swept(asking)

    ended = asking("approve", run, "--reason", "both")

    assert ended.status == 2
    assert ended.err.count(f"{run}.") == 2
    assert writes(azure) == []


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("approve", "x"), 2, "--reason"),
        (("approve", "x", "--reason", " "), 2, "say why"),
        (("approve", "x", "--reason", "y"), 1, "no treatment waits for an approval 'x'"),
        (("reject", "20260310T060000-5ba1c0de.3f9a2c1d0000", "--reason", "y"), 1, "no treatment waits"),
        (("pause", "--state", "source-id-change"), 2, "did you mean source-id-changed"),
        (("resume",), 1, "the app is not paused"),
    ],
)
def test_what_cannot_be_meant_is_told(asking: Shell, arguments: tuple[str, ...], status: int, says: str) -> None:
    ended = asking(*arguments)

    assert (ended.status, ended.out) == (status, "")
    assert says in ended.err


def test_nothing_is_applied_while_paused_and_sweeps_still_look(unlocked: Shell, azure: Simulator) -> None:
    run = str(unlocked("sweep", "--json", "--state", STATE).json["id"])
    paused = unlocked("pause", "--reason", "an incident")
    assert (paused.status, "the app is paused since" in paused.out, "an incident" in paused.out) == (0, True, True)

    for command in (("apply", run), ("sweep", "--apply", "--state", STATE)):
        ended = unlocked(*command)
        assert ended.status == 1
        assert "the app is paused since" in ended.err
        assert "`patchwright resume` lifts a pause" in ended.err
    assert "held by kill-switch" in unlocked("sweep", "--state", STATE).out
    assert unlocked("runs").out.startswith("‖ the app is paused since")
    assert writes(azure) == []

    assert unlocked("resume").out == "✔ nothing is paused\n"
    assert unlocked("apply", run).status == 0
    assert len(writes(azure)) == 2


def test_the_pause_of_one_state_leaves_the_others_alone(unlocked: Shell, azure: Simulator) -> None:
    unlocked("pause", "--state", STATE)

    ended = unlocked("sweep", "--apply", "--state", STATE, "--state", "maintenance-window-exceeded", "--json")

    assert {key.partition(":")[0]: word for key, word in outcomes(ended.json).items() if word != "declined"} == {
        STATE: "held",
        "maintenance-window-exceeded": "remediated",
    }
    assert len(writes(azure)) == 1
