"""`patchwright apply`: exactly the saved plan, once, verified by the detector that found the failure."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta
from typing import Final

from model.documents import Document
from simulator.serve import Simulator
from tests.cli.conftest import Shell
from tests.cli.test_sweep import objects, writes

REMEDIATED: Final = "remediated"


def a_saved_plan(shell: Shell, *arguments: str) -> str:
    """The id of a dry run."""
    return str(shell("sweep", "--json", *arguments).json["id"])


def outcomes(document: Document) -> dict[str, str]:
    return {str(o["finding"]): str(o["outcome"]) for o in objects(document, "outcomes")}


def test_a_saved_plan_is_applied_and_verified_by_its_detector(unlocked: Shell, azure: Simulator) -> None:
    """
    Each planned finding ends remediated. A new sweep finds only the window that is left to people: the clone with a
    user worker has its identity to itself, now that the others have their own.
    """
    run = a_saved_plan(unlocked)

    ended = unlocked("apply", run)

    assert ended.status == 0, ended.err
    assert "8 findings: 6 remediated, 2 need you, 0 unknown" in ended.out
    shown = unlocked("show", run, "--json").json
    planned = {str(plan["finding"]) for plan in objects(shown, "plans")}
    assert {key for key, outcome in outcomes(shown).items() if outcome == REMEDIATED} == planned
    again = unlocked("sweep", "--json").json
    assert objects(again, "plans") == []
    assert [finding["targetName"] for finding in objects(again, "findings")] == ["Weekly-erp-01"]


def test_what_was_applied_is_what_the_plan_said(unlocked: Shell, azure: Simulator) -> None:
    """The requests that change something are those of the plan, in its order."""
    run = a_saved_plan(unlocked, "--state", "maintenance-window-exceeded")
    (plan,) = objects(unlocked("show", run, "--json").json, "plans")

    assert unlocked("apply", run, "--json").status == 0

    assert writes(azure) == [f"{step['method']} {step['path']}" for step in objects(plan, "steps")]


def test_only_the_named_findings_are_applied(unlocked: Shell, azure: Simulator) -> None:
    """By key, or by the beginning of the plan's id, as the plan shows it."""
    run = a_saved_plan(unlocked)
    plans = objects(unlocked("show", run, "--json").json, "plans")
    by_key, by_id = plans[0], plans[1]

    named = ["--finding", str(by_key["finding"]), "--finding", str(by_id["id"])[:8]]
    ended = unlocked("apply", run, "--json", *named)

    assert ended.status == 0, ended.err
    mended = {key for key, outcome in outcomes(ended.json).items() if outcome == REMEDIATED}
    assert mended == {by_key["finding"], by_id["finding"]}


def test_an_empty_selection_of_findings_applies_nothing(unlocked: Shell, azure: Simulator) -> None:
    run = a_saved_plan(unlocked)

    ended = unlocked("apply", run, "--json", "--finding")

    assert ended.status == 0, ended.err
    assert writes(azure) == []


def test_a_finding_that_the_run_does_not_have_is_wrong_usage(unlocked: Shell, azure: Simulator) -> None:
    """The message lists those that it has."""
    run = a_saved_plan(unlocked, "--state", "source-id-changed")

    ended = unlocked("apply", run, "--finding", "cloned-machine:/subscriptions/x")

    assert ended.status == 2
    assert "source-id-changed:/subscriptions/" in ended.err
    assert writes(azure) == []


def test_a_run_that_waits_is_taken_up_later_and_nothing_is_applied_twice(unlocked: Shell, azure: Simulator) -> None:
    """
    The fix shows at the deployment's next run, days away: the command does not wait for it, says when to come back,
    and then only verifies.
    """
    run = a_saved_plan(unlocked, "--state", "maintenance-window-exceeded")

    first = unlocked("apply", run, "--wait", "PT10M")

    assert first.status == 0, first.err
    assert "1 waiting" in first.out
    assert f"then take the run up again: patchwright apply {run}" in first.out
    assert unlocked("show", run, "--json").json["status"] == "waiting"
    written = writes(azure)
    assert len(written) == 1

    early = unlocked("apply", run, "--wait", "PT10M")
    assert early.status == 0, early.err
    azure.advance(timedelta(days=3))
    last = unlocked("apply", run)

    assert last.status == 0, last.err
    assert "1 remediated" in last.out
    assert writes(azure) == written


def test_a_plan_from_an_older_world_is_refused_by_the_field(unlocked: Shell, azure: Simulator) -> None:
    """Somebody has edited the deployment since: nothing is written over it, and the field is named."""
    run = a_saved_plan(unlocked, "--state", "maintenance-window-exceeded")
    (plan,) = objects(unlocked("show", run, "--json").json, "plans")
    edit_by_hand(azure, str(objects(plan, "steps")[0]["path"]))
    azure.advance(timedelta(minutes=10))
    written = writes(azure)

    ended = unlocked("apply", run)

    assert ended.status == 1
    assert "1 stale" in ended.out
    assert "before.properties.updateConfiguration.windows.rebootSetting was" in ended.out, ended.out
    assert writes(azure) == written


def edit_by_hand(azure: Simulator, deployment: str) -> None:
    """As a person does in the portal: another reboot setting, and a start that Azure takes."""
    address = f"{azure.url}{deployment}?api-version=2019-06-01"
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - the simulated Azure on loopback
        body = json.load(answer)
    body["properties"]["updateConfiguration"]["windows"]["rebootSetting"] = "Never"
    body["properties"]["scheduleInfo"]["startTime"] = body["properties"]["scheduleInfo"]["nextRun"]
    request = urllib.request.Request(  # noqa: S310 - as above
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PUT"
    )
    urllib.request.urlopen(request).close()  # noqa: S310 - as above


def test_the_lock_refuses(unlocked: Shell, azure: Simulator) -> None:
    run = a_saved_plan(unlocked)

    ended = unlocked("apply", run, DRY_RUN="true")

    assert ended.status == 1
    assert ended.err.startswith("patchwright: DRY_RUN is set")
    assert ended.out == ""
    assert writes(azure) == []


def test_a_plan_that_is_only_held_is_a_failure_to_apply(locked: Shell, azure: Simulator) -> None:
    """Every state is observed: whoever applies is told that nothing was."""
    run = a_saved_plan(locked)

    ended = locked("apply", run, DRY_RUN="false")

    assert ended.status == 1
    assert "held: mode: " in ended.out
    assert writes(azure) == []


def test_an_unknown_run_is_named(unlocked: Shell) -> None:
    run = a_saved_plan(unlocked, "--state", "cloned-machine")

    near, far = unlocked("apply", f"{run[:-1]}x"), unlocked("apply", "$(id)\n")

    assert (near.status, far.status) == (1, 1)
    assert f"did you mean {run}?" in near.err
    assert (
        far.err == "patchwright: there is no run '$(id)\\n' in the ledger; `patchwright runs` lists those there are\n"
    )
