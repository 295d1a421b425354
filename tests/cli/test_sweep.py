"""`patchwright sweep`: looks, plans, and changes nothing unless it is told to."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from model.documents import Document
from simulator.serve import Simulator
from tests.cli.conftest import COMMAND, Shell

KEYS: Final = frozenset(
    {
        *("id", "trigger", "mode", "status", "started", "finished", "scope", "facts"),
        *("findings", "unknown", "plans", "advice", "outcomes"),
    }
)
STATES: Final = frozenset(
    {"automation-rp-not-registered", "cloned-machine", "maintenance-window-exceeded", "source-id-changed"}
)


def writes(azure: Simulator) -> list[str]:
    """What was asked of Azure that could have changed something; queries are POSTs and change nothing."""
    harmless = re.compile(r"/query$|/\$batch$|/resources$", re.IGNORECASE)
    return [
        f"{request['method']} {request['path']}"
        for request in azure.requests()
        if request["method"] != "GET" and not harmless.search(str(request["path"]))
    ]


def test_a_sweep_is_a_dry_run_even_where_everything_may_act(unlocked: Shell, azure: Simulator) -> None:
    """Unlocked, every state in mode act: without `--apply` nothing but reads leaves the process."""
    ended = unlocked("sweep", "--json")

    assert ended.status == 0, ended.err
    assert ended.json["mode"] == "dry-run"
    assert {plan["verdict"]["kind"] for plan in ended.json["plans"]} == {"allow"}  # type: ignore[union-attr,index,call-overload]
    assert writes(azure) == []


def test_the_document_is_what_the_contract_says(locked: Shell) -> None:
    """One document on standard output and nothing else, with every part that pipelines rely on."""
    ended = locked("sweep", "--json")

    assert ended.err == ""
    assert ended.out.isascii()
    assert ended.json.keys() >= KEYS
    assert {finding["state"] for finding in objects(ended.json, "findings")} == STATES
    for finding in objects(ended.json, "findings"):
        assert finding.keys() >= {"key", "state", "target", "targetName", "reason", "since", "evidence"}
    for plan in objects(ended.json, "plans"):
        assert plan.keys() >= {"id", "finding", "remediation", "impact", "reason", "verdict", "steps"}
        for step in objects(plan, "steps"):
            wanted = {"id", "kind", "method", "path", "before", "after", "diff", "script", "parameters", "undo"}
            assert step.keys() >= wanted


def test_a_plan_is_shown_field_by_field_with_the_command_that_applies_it(unlocked: Shell) -> None:
    ended = unlocked("sweep")

    assert ended.status == 0, ended.err
    assert "~ updateConfiguration.duration  PT2H -> PT3H" in ended.out
    assert "- updateConfiguration.azureVirtualMachines[" in ended.out
    assert "~ registrationState  NotRegistered -> Registered" in ended.out
    assert "8 findings: 6 planned, 2 need you, 0 unknown" in ended.out
    (run,) = re.findall(r"^To apply exactly this plan: patchwright apply (\S+)$", ended.out, re.MULTILINE)
    assert unlocked("show", run, "--json").json["id"] == run


def test_in_a_pipe_there_is_no_progress_no_colour_and_no_broken_line(unlocked: Shell) -> None:
    """An id stays on one line, so that it can be searched for and copied."""
    ended = unlocked("sweep")

    assert ended.err == ""
    assert "\x1b" not in ended.out
    assert "\r" not in ended.out
    found = {str(finding["target"]) for finding in objects(unlocked("sweep", "--json").json, "findings")}
    assert all(
        re.search(rf"^\s*(● )?{re.escape(target)}$|● {target.rpartition('/')[2]}$", ended.out, re.M) for target in found
    )


def test_on_a_terminal_there_is_colour_progress_and_no_line_too_long(unlocked: Shell) -> None:
    ended = unlocked.on_a_terminal("sweep")

    assert ended.status == 0
    assert "reading the estate" in ended.out
    assert "\x1b[1m" in ended.out
    shown = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", ended.out)
    lines = [line.rpartition("\r")[2] for line in shown.replace("\r\n", "\n").split("\n")]
    assert max(map(len, lines)) <= 80


def test_no_color_is_respected_on_a_terminal(unlocked: Shell) -> None:
    ended = unlocked.on_a_terminal("sweep", NO_COLOR="1")

    assert not re.search(r"\x1b\[(3[0-7]|9[0-7])m", ended.out)


def test_states_and_machines_narrow_a_sweep(locked: Shell) -> None:
    """The states that are named, at the machines that are named or enclosed."""
    machines = [f for f in objects(locked("sweep", "--json").json, "findings") if f["state"] == "cloned-machine"]
    one = str(machines[0]["target"])

    narrow = locked("sweep", "--json", "--state", "cloned-machine", "--machine", one)
    group = locked("sweep", "--json", "--state", "cloned-machine", "--machine", one.rpartition("/providers/")[0])

    assert [f["target"] for f in objects(narrow.json, "findings")] == [one]
    assert len(objects(group.json, "findings")) == len(machines)


def test_an_empty_selection_selects_nothing(locked: Shell) -> None:
    """`--machine $IDS`, where the variable turned out empty, is not the whole estate."""
    ended = locked("sweep", "--json", "--machine")

    assert ended.status == 0, ended.err
    assert ended.json["findings"] == []
    assert ended.json["plans"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--state", "clone-machine"], r"no failure state 'clone-machine'; did you mean cloned-machine"),
        (["--state", "zzz"], r"no failure state 'zzz'; there are automation-rp-not-registered, "),
        (["--state", "x\x1b[31m\n"], r"'x\x1b[31m\n'"),
        (["--machine", "web-01"], r"not an Azure resource id: 'web-01'; give a resource id"),
        (["--machine", ""], r"not an Azure resource id: ''"),
        (["--wait", "soon"], r"--wait: must be an ISO 8601 duration"),
        (["--apply", "--from", "x"], r"nothing can be applied with --from"),
        (["--sate", "cloned-machine"], r"unrecognized arguments: --sate"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_would_be_right(
    patchwright: Shell, arguments: list[str], told: str
) -> None:
    ended = patchwright("sweep", *arguments)

    assert ended.status == 2
    assert told in ended.err
    assert ended.out == ""
    assert "\x1b" not in ended.err


def test_settings_that_are_wrong_are_told_all_at_once_by_name(patchwright: Shell) -> None:
    ended = patchwright(
        "sweep", DRY_RUN="maybe", PATCHWRIGHT_MODES="{", PATCHWRIGHT_MAX_MACHINES="many", PATCHWRIGHT_X="1"
    )

    assert ended.status == 1
    for name in (
        "DRY_RUN",
        "SUBSCRIPTIONS",
        "AUTOMATION_ACCOUNTS",
        "WORKSPACES",
        "MODES",
        "MAX_MACHINES",
        "PATCHWRIGHT_X",
    ):
        assert name in ended.err
    assert "Traceback" not in ended.err


def test_findings_that_remain_end_with_3_where_that_is_asked_for(locked: Shell) -> None:
    assert locked("sweep", "--json").status == 0
    assert locked("sweep", "--json", "--fail-on-findings").status == 3
    assert locked("sweep", "--json", "--fail-on-findings", "--machine").status == 0


def test_an_estate_that_cannot_be_read_is_no_clean_bill(locked: Shell, azure: Simulator) -> None:
    """Nothing was found, because nothing could be seen: unknown, and a failure."""
    azure.order({"kind": "error", "status": 403, "code": "AuthorizationFailed"})

    ended = locked("sweep", "--json", "--state", "cloned-machine")

    assert ended.status == 1
    assert ended.json["findings"] == []
    assert [unknown["state"] for unknown in objects(ended.json, "unknown")] == ["cloned-machine"]


def test_the_lock_refuses_to_apply(locked: Shell, azure: Simulator) -> None:
    ended = locked("sweep", "--apply")

    assert ended.status == 1
    assert ended.err.startswith("patchwright: DRY_RUN is set: the app is locked")
    assert azure.requests() == []


def test_a_sweep_that_applies_repairs_what_it_may_and_tells_the_story(unlocked: Shell, azure: Simulator) -> None:
    """Found, planned, repaired and verified in one go; what a person has to do remains."""
    ended = unlocked("sweep", "--apply")

    assert ended.status == 0, ended.err
    assert "8 findings: 6 remediated, 2 need you, 0 unknown" in ended.out
    assert re.search(r"^\d\d:\d\d  ✔ maintenance-window-exceeded +Weekly-backup-01 +remediated", ended.out, re.M)
    assert writes(azure) != []
    assert unlocked("sweep", "--json", "--fail-on-findings").status == 3


def test_a_page_is_written_beside_the_answer(unlocked: Shell, tmp_path: Path) -> None:
    ended = unlocked("sweep", "--json", "--html", tmp_path / "plan.html")

    page = (tmp_path / "plan.html").read_text()
    assert ended.json["status"] == "completed"
    assert str(ended.json["id"]) in page
    assert "PT3H" in page
    nowhere = unlocked("sweep", "--html", tmp_path / "no" / "plan.html", "--state", "cloned-machine")
    assert nowhere.status == 1
    assert "--html" in nowhere.err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_it_at_once_and_is_in_the_record(
    locked: Shell, azure: Simulator, number: signal.Signals, status: int
) -> None:
    """Not when the request that hangs has been answered; and the run is no clean bill afterwards."""
    azure.order({"kind": "hang", "path": "softwareUpdateConfigurationRuns", "seconds": 60})
    with subprocess.Popen(
        [COMMAND, "sweep"], cwd=locked.folder, env=dict(locked.env), stderr=subprocess.PIPE
    ) as process:
        while not azure.requests():
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=30)

    assert time.monotonic() - began < 20
    assert process.returncode == status
    assert said.startswith(b"patchwright: interrupted")
    (run,) = objects(locked("runs", "--json").json, "runs")
    assert (run["status"], run["error"]) == ("failed", "interrupted")


def test_what_is_cut_off_by_head_is_no_traceback(unlocked: Shell) -> None:

    line = f"{COMMAND} states --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", line], env=dict(unlocked.env), cwd=unlocked.folder, capture_output=True, check=False
    )

    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def objects(document: Document, name: str) -> list[Document]:
    found = json.loads(json.dumps(document[name]))
    assert isinstance(found, list)
    return found
