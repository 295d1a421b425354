"""`patchwright undo`: what a run changed is put back, shown first, and only where nobody has been there since."""

from __future__ import annotations

import copy
from datetime import timedelta

from engine.undo_plans import is_as_it_was
from model.documents import Document
from model.plans import PutDeployment
from simulator.serve import Simulator
from tests.cli.conftest import Shell
from tests.cli.test_apply import a_saved_plan, edit_by_hand, outcomes
from tests.cli.test_sweep import objects, writes

WINDOW = ("--state", "maintenance-window-exceeded")


def deployments(azure: Simulator) -> dict[str, Document]:
    """Every deployment of the simulated Azure as it is now."""
    kind = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations"
    return {str(body["id"]): copy.deepcopy(body) for body in azure.server.estate.resources.of_type(kind)}


def changed(before: dict[str, Document], after: dict[str, Document]) -> list[str]:
    step = PutDeployment(deployment="", before={}, after={})
    return [id_ for id_, body in before.items() if not is_as_it_was(step, body, after[id_])]


def test_everything_that_a_run_changed_is_put_back(unlocked: Shell, azure: Simulator) -> None:
    """
    Not while the app is locked. The deployments equal what they were; both runs say `undone`; a second undo has
    nothing to do.
    """
    before = deployments(azure)
    run = a_saved_plan(unlocked, *WINDOW)
    assert unlocked("apply", run, "--json").status == 0
    assert changed(before, deployments(azure))
    written = writes(azure)
    refused = unlocked("undo", run, DRY_RUN="true")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("patchwright: DRY_RUN is set")
    assert writes(azure) == written

    ended = unlocked("undo", run)

    assert ended.status == 0, ended.out + ended.err
    assert f"undo of {run} · dry run" in ended.out
    assert "undo-widen-maintenance-window" in ended.out
    assert "undone: it is as it was before run" in ended.out
    assert changed(before, deployments(azure)) == []
    assert set(outcomes(unlocked("show", run, "--json").json).values()) == {"undone", "declined"}
    written = writes(azure)
    again = unlocked("undo", run)
    assert again.status == 0
    assert "was undone already" in again.out
    assert writes(azure) == written


def test_a_dry_run_shows_the_plan_and_it_is_applied_like_any_other(unlocked: Shell, azure: Simulator) -> None:
    before = deployments(azure)
    run = a_saved_plan(unlocked, *WINDOW)
    unlocked("apply", run, "--json")
    written = writes(azure)

    shown = unlocked("undo", run, "--dry-run", "--json", DRY_RUN="true")

    assert shown.status == 0, shown.err
    assert (shown.json["undoes"], shown.json["mode"]) == (run, "dry-run")
    assert writes(azure) == written
    ended = unlocked("apply", str(shown.json["id"]))
    assert ended.status == 0, ended.out + ended.err
    assert changed(before, deployments(azure)) == []


def test_a_world_that_has_moved_on_is_left_alone_and_the_field_is_named(unlocked: Shell, azure: Simulator) -> None:
    run = a_saved_plan(unlocked, *WINDOW)
    (plan,) = objects(unlocked("show", run, "--json").json, "plans")
    assert unlocked("apply", run, "--json", "--wait", "PT10M").status == 0
    azure.advance(timedelta(minutes=10))
    edit_by_hand(azure, str(objects(plan, "steps")[0]["path"]))
    azure.advance(timedelta(minutes=10))
    written = writes(azure)

    ended = unlocked("undo", run, "--json")

    assert ended.status == 1
    (outcome,) = objects(ended.json, "outcomes")
    assert outcome["outcome"] == "refused"
    assert "moved-on: properties.updateConfiguration.windows.rebootSetting" in str(outcome["reason"])
    assert writes(azure) == written


def test_what_cannot_be_undone_is_told_and_nothing_is_changed(unlocked: Shell, azure: Simulator) -> None:
    """A run that changed nothing, a run that nobody knows, a finding that it does not have."""
    planned = a_saved_plan(unlocked, *WINDOW)

    answers = {
        "changed nothing": unlocked("undo", planned),
        "there is no run": unlocked("undo", "20200101T000000-00000000"),
        "the run has no plan for": unlocked("undo", planned, "--finding", "vm-stopped:/subscriptions/x"),
    }

    for words, ended in answers.items():
        assert ended.status in {1, 2}, words
        assert words in ended.err, ended.err
        assert ended.out == ""
    assert writes(azure) == []
