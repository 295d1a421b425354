"""Undoing over HTTP."""

from __future__ import annotations

import copy

from engine.undo_plans import is_as_it_was
from model.documents import Document, Json, text_at
from model.plans import PutDeployment
from simulator.serve import Simulator
from tests.triggers.app import App, objects, outcomes, writes

STATES: list[Json] = ["maintenance-window-exceeded"]


def applied(app: App, azure: Simulator) -> tuple[Document, str, Document]:
    """A run that widened a window, that deployment's id, and its body from before."""
    run = app.swept(states=STATES)
    (plan,) = objects(run, "plans")
    path = text_at(objects(plan, "steps")[0], "path")
    before = copy.deepcopy(azure.server.estate.resources.get(path) or {})
    app.post(f"/runs/{run['id']}/apply")
    app.finish()
    return run, path, before


def test_a_run_is_undone_by_a_run_of_its_own(unlocked: App, azure: Simulator) -> None:
    """202 names it; both say `undone`; asked again, the answer is the same and nothing is changed."""
    run, path, before = applied(unlocked, azure)
    step = PutDeployment(deployment=path, before={}, after={})
    assert not is_as_it_was(step, before, azure.server.estate.resources.get(path) or {})

    answer = unlocked.post(f"/runs/{run['id']}/undo")
    unlocked.finish()

    assert answer.status == 202, answer.text
    assert answer.headers["location"] == f"/api/runs/{answer.id}"
    back = unlocked.run(answer.id)
    assert (back["undoes"], back["status"], back["mode"]) == (run["id"], "completed", "apply")
    assert set(outcomes(back).values()) == {"undone"}
    assert outcomes(unlocked.run(str(run["id"]))).items() >= outcomes(back).items()
    assert is_as_it_was(step, before, azure.server.estate.resources.get(path) or {})
    written = writes(azure)
    again = unlocked.post(f"/runs/{run['id']}/undo")
    unlocked.finish()
    assert (again.status, again.id) == (202, answer.id)
    assert writes(azure) == written


def test_a_dry_run_only_shows(unlocked: App, azure: Simulator) -> None:
    run, _, _ = applied(unlocked, azure)
    written = writes(azure)

    answer = unlocked.post(f"/runs/{run['id']}/undo", {"dry_run": True})
    unlocked.finish()

    shown = unlocked.run(answer.id)
    assert shown["mode"] == "dry-run"
    assert [text_at(plan, "verdict.kind") for plan in objects(shown, "plans")] == ["allow"]
    assert writes(azure) == written


def test_what_cannot_be_undone_is_told(unlocked: App, azure: Simulator) -> None:
    """404 unknown, 409 changed nothing or is an undo, 422 a finding of another run, 400 what is not a list."""
    planned = unlocked.swept(states=STATES)
    run, _, _ = applied(unlocked, azure)
    back = unlocked.post(f"/runs/{run['id']}/undo").id
    unlocked.finish()
    written = writes(azure)

    assert unlocked.post("/runs/20200101T000000-00000000/undo").status == 404
    assert unlocked.post(f"/runs/{planned['id']}/undo").status == 409
    assert unlocked.post(f"/runs/{back}/undo").status == 409
    wrong = unlocked.post(f"/runs/{run['id']}/undo", {"findings": ["vm-stopped:/subscriptions/x"]})
    assert (wrong.status, wrong.field) == (422, "findings[0]")
    wrongs: list[tuple[Json, str]] = [({"findings": "all"}, "findings"), ({"dry_run": 1}, "dry_run"), ({"x": 1}, "x")]
    for body, field in wrongs:
        answer = unlocked.post(f"/runs/{run['id']}/undo", body)
        assert (answer.status, answer.field) == (400, field)
    unlocked.finish()
    assert writes(azure) == written


def test_nothing_is_undone_while_the_lock_is_set(locked: App, azure: Simulator) -> None:
    run = locked.swept(states=STATES)

    assert locked.post(f"/runs/{run['id']}/undo").status == 409
    assert writes(azure) == []
