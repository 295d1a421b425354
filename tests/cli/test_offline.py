"""`export`, and `sweep --from`: last night's facts in a folder, swept without any Azure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from model.states import Mode
from simulator.fleets import sample
from simulator.serve import Simulator
from tests.cli.conftest import Shell
from tests.cli.estates import HOSTILE, a_folder, with_hostile_names
from tests.cli.test_sweep import objects
from tests.support.modes import few


def test_an_estate_from_outside_is_judged_as_its_authors_say(patchwright: Shell, contoso: Path) -> None:
    """For the states that `expected.json` names: what it lists, with plan or advice, and nothing else."""
    expected = json.loads((contoso / "expected.json").read_text())

    document = patchwright("sweep", "--from", contoso, "--json").json

    found = {(f["state"], f["target"]) for f in objects(document, "findings") if f["state"] in expected["states"]}
    assert found == {(item["state"], item["target"]) for item in expected["found"]}
    planned = {str(plan["finding"]) for plan in objects(document, "plans")}
    advised = {str(advice["finding"]) for advice in objects(document, "advice")}
    for item in expected["found"]:
        assert f"{item['state']}:{item['target']}" in (planned if item["then"] == "plan" else advised)


def test_a_folder_cannot_be_applied(patchwright: Shell, tmp_path: Path) -> None:
    """Neither at once nor later: what a folder says need not be so any more."""
    folder = a_folder(tmp_path / "fleet")

    swept = patchwright("sweep", "--from", folder, "--json", "--state", "source-id-changed")
    applied = patchwright("apply", str(swept.json["id"]), DRY_RUN="false")

    assert swept.json["mode"] == "dry-run"
    assert applied.status == 1
    assert "was made from a folder" in applied.err


def test_a_sweep_of_a_folder_is_remembered_apart(patchwright: Shell, tmp_path: Path) -> None:
    """It can be shown and is listed as what it is; the estate's own ledger knows nothing of it."""
    folder = a_folder(tmp_path / "fleet")
    run = str(patchwright("sweep", "--from", folder, "--json", "--machine").json["id"])

    assert patchwright("show", run, "--json").json["id"] == run
    assert [(r["id"], r["offline"]) for r in objects(patchwright("runs", "--json").json, "runs")] == [(run, True)]


def test_modes_and_thresholds_are_tried_on_a_folder(patchwright: Shell, tmp_path: Path) -> None:
    """A policy can be tried on last night's facts: with it the plan is allowed, without it held."""
    folder = a_folder(tmp_path / "fleet")
    arguments: list[str | Path] = ["sweep", "--from", folder, "--json", "--state", "maintenance-window-exceeded"]

    observed = objects(patchwright(*arguments).json, "plans")
    asked = objects(patchwright(*arguments, PATCHWRIGHT_MODES='{"*": "ask"}').json, "plans")
    narrow = objects(patchwright(*arguments, PATCHWRIGHT_MAX_WINDOW="PT2H").json, "plans")

    assert [plan["verdict"]["kind"] for plan in observed] == ["hold"]  # type: ignore[index,call-overload]
    assert [plan["verdict"]["kind"] for plan in asked] == ["allow"]  # type: ignore[index,call-overload]
    assert narrow == []


def test_what_was_exported_is_swept_as_the_estate_was(locked: Shell, azure: Simulator, tmp_path: Path) -> None:
    exported = locked("export", tmp_path / "night")
    assert exported.status == 0, exported.err

    live, offline = locked("sweep", "--json").json, locked("sweep", "--from", tmp_path / "night", "--json").json

    def told(name: str, *keys: str) -> tuple[list[object], list[object]]:
        return tuple([{key: item[key] for key in keys} for item in objects(d, name)] for d in (live, offline))  # type: ignore[return-value]

    for name, keys in (("findings", ("key", "reason", "since")), ("advice", ("finding", "summary"))):
        here, there = told(name, *keys)
        assert there == here
    here, there = told("plans", "finding", "remediation", "reason", "risk")
    assert there == here


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("logs/Heartbeat.jsonl", '{"TimeGenerated": "2026-03-10T05:', r"logs/Heartbeat\.jsonl:\d+: is not JSON"),
        (
            "logs/Heartbeat.jsonl",
            '{"TimeGenerated": "yesterday"}',
            r"Heartbeat\.jsonl:\d+: TimeGenerated is not a time",
        ),
        ("logs/Heartbeat.jsonl", "[]", r"Heartbeat\.jsonl:\d+: must be a JSON object"),
        ("arm/virtualMachines.json", "]", r"arm/virtualMachines\.json: is not JSON"),
        ("fleet.json", "}", r"fleet\.json: is not JSON"),
    ],
)
def test_a_broken_folder_is_told_by_file_and_line(
    patchwright: Shell, tmp_path: Path, file: str, line: str, told: str
) -> None:
    folder = a_folder(tmp_path / "fleet")
    with (folder / file).open("a") as out:
        out.write(line + "\n")

    ended = patchwright("sweep", "--from", folder, "--json")

    assert ended.status == 1
    assert re.search(told, ended.err), ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_a_folder_that_is_none_is_named(patchwright: Shell, tmp_path: Path) -> None:
    ended = patchwright("sweep", "--from", tmp_path / "nowhere")

    assert (ended.status, ended.out) == (1, "")
    assert f"there is no folder {tmp_path / 'nowhere'}" in ended.err


def test_names_that_mean_something_elsewhere_are_only_names_here(patchwright: Shell, tmp_path: Path) -> None:
    """Quotes, `$(…)`, line breaks, KQL, escapes, markup and reversed writing, as the name of every machine."""
    plain, hostile = a_folder(tmp_path / "plain"), a_folder(tmp_path / "hostile", with_hostile_names(sample()))
    page = tmp_path / "plan.html"

    modes = {"PATCHWRIGHT_MODES": few(Mode.OBSERVE)}

    document = patchwright("sweep", "--from", hostile, "--json", "--html", page, **modes).json
    ended = patchwright("sweep", "--from", hostile, **modes)
    terminal = patchwright.on_a_terminal("sweep", "--from", hostile, NO_COLOR="1", **modes)

    as_ever = patchwright("sweep", "--from", plain, "--json", **modes).json
    assert [f["key"] for f in objects(document, "findings")] == [f["key"] for f in objects(as_ever, "findings")]
    assert HOSTILE in {f["targetName"] for f in objects(document, "findings")}
    assert "\\n| take 1 //\\x1b[31m [red]</td>" in ended.out
    for text in (ended.out, terminal.out):
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
