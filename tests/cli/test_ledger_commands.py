"""`patchwright runs` and `show`: what was seen and done stays to be looked at, without any Azure."""

from __future__ import annotations

import json

from model.documents import text_at
from tests.cli.conftest import Shell
from tests.cli.test_apply import a_saved_plan
from tests.cli.test_sweep import objects


def test_runs_lists_the_newest_first(locked: Shell, patchwright: Shell) -> None:
    """Also where no estate is configured: the ledger is a file below the folder."""
    first, second = a_saved_plan(locked), a_saved_plan(locked, "--state", "cloned-machine")

    listed = objects(patchwright("runs", "--json").json, "runs")

    assert {run["id"] for run in listed} == {first, second}
    assert [run["id"] for run in listed] == sorted([first, second], reverse=True)
    assert {run["status"] for run in listed} == {"completed"}
    assert "8 findings: 6 held, 2 need you, 0 unknown" in patchwright("runs").out


def test_runs_can_be_leafed_through(locked: Shell) -> None:
    made = sorted((a_saved_plan(locked, "--machine") for _ in range(3)), reverse=True)

    first = locked("runs", "--json", "--limit", "2").json
    rest = locked("runs", "--json", "--limit", "2", "--before", str(first["next"])).json

    assert [run["id"] for run in [*objects(first, "runs"), *objects(rest, "runs")]] == made
    assert rest["next"] is None


def test_show_gives_the_document_that_the_sweep_gave(locked: Shell) -> None:
    swept = locked("sweep", "--json").json

    assert locked("show", str(swept["id"]), "--json").json == swept


def test_show_tells_plans_and_story(unlocked: Shell) -> None:
    run = a_saved_plan(unlocked, "--state", "source-id-changed")
    unlocked("apply", run, "--json")

    shown = unlocked("show", run).out

    assert "1. Save the deployment Monthly-Windows without app-02" in shown
    assert "saved the deployment Monthly-Windows without app-02" in shown
    assert "✔ remediated: not found any more" in shown


def test_an_unknown_run_and_an_empty_ledger_are_told_plainly(patchwright: Shell) -> None:
    ended = patchwright("show", "../../etc/passwd")

    assert ended.status == 1
    assert "there is no run '../../etc/passwd' in the ledger" in ended.err
    assert patchwright("runs").out.startswith("The ledger is empty.")
    assert patchwright("runs", "--json").json == {"runs": [], "next": None}


def test_a_ledger_that_is_none_is_named(patchwright: Shell) -> None:
    (patchwright.folder / "notes.txt").write_text("not a database, and long enough to look at" * 50)

    ended = patchwright("runs", PATCHWRIGHT_LEDGER="sqlite:notes.txt")

    assert ended.status == 1
    assert "notes.txt" in ended.err
    assert "Traceback" not in ended.err


def test_states_need_no_settings(patchwright: Shell) -> None:
    """The catalogue: what is found, where it is seen, how it is repaired, how far Patchwright goes."""
    listed = objects(patchwright("states", "--json").json, "states")

    assert {state["id"] for state in listed} >= {"cloned-machine", "source-id-changed"}
    for state in listed:
        assert state["mode"] == "observe"
        assert state["manual"]
        assert state["reads"]
        assert objects(state, "remediations")
    acting = patchwright("states", PATCHWRIGHT_MODES='{"cloned-machine": "act"}').out
    assert "mode act" in acting


def test_states_show_what_is_paused(patchwright: Shell) -> None:
    """A state by itself, or each of them where the app is: as `GET /api/states` does."""
    patchwright("pause", "--state", "cloned-machine", "--reason", "an incident")

    listed = objects(patchwright("states", "--json").json, "states")
    assert [state["id"] for state in listed if state["paused"]] == ["cloned-machine"]
    assert "an incident" in {text_at(state, "paused.reason") for state in listed}
    assert patchwright("states").out.count("‖ cloned-machine is paused since") == 1

    patchwright("pause", "--reason", "a storm")
    listed = objects(patchwright("states", "--json").json, "states")
    assert {text_at(state, "paused.reason") for state in listed} == {"a storm"}
    assert patchwright("states").out.count("‖ the app is paused since") == 1


def test_states_are_listed_without_a_ledger(patchwright: Shell) -> None:
    (patchwright.folder / "notes.txt").write_text("not a database, and long enough to look at" * 50)

    ended = patchwright("states", "--json", PATCHWRIGHT_LEDGER="sqlite:notes.txt")

    assert ended.status == 0
    assert objects(ended.json, "states")
    assert "whether anything is paused cannot be told" in ended.err


def test_the_audit_trail_is_json_lines(locked: Shell) -> None:
    """A record a line, of one run or of all; from a time on where one is given."""
    run = str(locked("sweep", "--json", "--state", "maintenance-window-exceeded").json["id"])

    ended = locked("audit", run)

    told = [json.loads(line) for line in ended.out.splitlines()]
    assert {record["run"] for record in told} == {run}
    assert {"started", "observed"} <= {record["decision"] for record in told}
    assert locked("audit").out == ended.out
    assert locked("audit", "--since", "2100-01-01").out == ""
    assert locked("audit", "--since", "soon").status == 2
    assert "there is no run 'x'" in locked("audit", "x").err
