"""The ledger over HTTP, and what may be applied from it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from model.documents import Document, Json, at, text_at
from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, Activity, Answer, App, objects, outcomes, the_app, wrap_activity, writes


def test_runs_come_newest_first_and_a_page_at_a_time(locked: App) -> None:
    """Every run once, in the reverse order of their ids, over as many pages as it takes."""
    asked = [locked.post("/sweeps", {"machines": []}).id for _ in range(5)]
    locked.finish()

    seen: list[str] = []
    following = ""
    for _ in range(3):
        page = locked.get(f"/runs?limit=2{following}").json
        seen += [text_at(run, "id") for run in objects(page, "runs")]
        following = f"&before={page['next']}"

    assert seen == sorted(asked, reverse=True)
    assert page["next"] is None


def test_a_page_tells_what_became_of_each_run(locked: App) -> None:
    run = locked.swept()

    (summary,) = objects(locked.get("/runs").json, "runs")

    counts = summary.pop("counts")
    assert summary == {name: run[name] for name in summary}
    assert isinstance(counts, dict)
    assert counts["findings"] == len(objects(run, "findings"))


def test_nothing_is_applied_while_the_lock_is_set(locked: App, azure: Simulator) -> None:
    """409, whoever asks; nothing is started, and nothing leaves that could change anything."""
    run = locked.swept()

    answer = locked.post(f"/runs/{run['id']}/apply")

    assert answer.status == 409
    assert "DRY_RUN" in text_at(answer.json, "detail")
    locked.finish()
    assert [instance.name for instance in locked.instances] == ["sweep"]
    assert locked.run(str(run["id"])) == run
    assert writes(azure) == []


def test_a_sweep_that_would_act_is_refused_while_the_lock_is_set(locked: App) -> None:
    answer = locked.post("/sweeps", {"dry_run": False})

    assert (answer.status, answer.field) == (409, "dry_run")
    assert objects(locked.get("/runs").json, "runs") == []


def test_a_caller_in_a_loop_is_told_to_wait(locked: App) -> None:
    """More sweeps than may read at once are refused with Retry-After; when those are over, the next one is taken."""
    release = threading.Event()

    def held(survey: Activity) -> Activity:
        def wait(document: Document) -> Document:
            assert release.wait(60)
            return survey(document)

        return wait

    wrap_activity(locked, "survey", held)
    taken = [locked.post("/sweeps", {"machines": []}).status for _ in range(10)]

    refused = locked.post("/sweeps", {"machines": []})
    release.set()
    locked.finish()

    assert taken == [202] * 10
    assert (refused.status, refused.headers["retry-after"]) == (429, "60")
    assert locked.post("/sweeps", {"machines": []}).status == 202


def test_an_unknown_run_cannot_be_applied(unlocked: App) -> None:
    assert unlocked.post("/runs/20200101T000000-00000000/apply").status == 404


def test_a_finding_without_a_plan_cannot_be_applied(unlocked: App) -> None:
    """422, naming the place; the others that were named are not applied either."""
    run = unlocked.swept()
    known = text_at(objects(run, "plans")[0], "finding")

    answer = unlocked.post(f"/runs/{run['id']}/apply", {"findings": [known, "source-id-changed:/subscriptions/x"]})

    assert (answer.status, answer.field) == (422, "findings[1]")
    unlocked.finish()
    assert unlocked.run(str(run["id"])) == run
    assert unlocked.post(f"/runs/{run['id']}/apply", {"findings": [known]}).status == 202


@pytest.mark.parametrize(
    ("findings", "field"),
    [(None, "findings"), ("all", "findings"), ([1], "findings[0]"), ([["x"]], "findings[0]"), ({}, "findings")],
)
def test_findings_are_a_list_of_texts(unlocked: App, findings: Json, field: str) -> None:
    run = unlocked.swept(machines=[])

    answer = unlocked.post(f"/runs/{run['id']}/apply", {"findings": findings})

    assert (answer.status, answer.field) == (400, field)


def test_an_empty_list_of_findings_applies_nothing(unlocked: App, azure: Simulator) -> None:
    run = unlocked.swept()

    answer = unlocked.post(f"/runs/{run['id']}/apply", {"findings": []})
    unlocked.finish()

    assert answer.status == 202
    assert writes(azure) == []


def test_of_many_applies_at_once_one_is_taken(unlocked: App) -> None:
    """The others are told that it is under way; the plan is applied once."""
    run = unlocked.swept()
    answers: list[Answer] = []

    def press() -> None:
        answers.append(unlocked.post(f"/runs/{run['id']}/apply"))

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unlocked.finish()

    assert sorted(answer.status for answer in answers) == [202] + [409] * 7
    assert [instance.name for instance in unlocked.instances].count("apply") == 1


def test_a_plan_from_an_older_world_is_stale_and_names_the_field(unlocked: App, azure: Simulator) -> None:
    """Somebody edited the deployment in between: nothing is written to it."""
    run = unlocked.swept(states=["maintenance-window-exceeded"])
    (plan,) = objects(run, "plans")
    (step,) = objects(plan, "steps")
    document = azure.server.estate.resources.get(text_at(step, "path"))
    windows = at(document or {}, "properties.updateConfiguration.windows")
    assert isinstance(windows, dict)
    windows["rebootSetting"] = "Never"

    unlocked.post(f"/runs/{run['id']}/apply")
    unlocked.finish()

    (outcome,) = [o for o in objects(unlocked.run(str(run["id"])), "outcomes") if o["finding"] == plan["finding"]]
    assert outcome["outcome"] == "stale"
    assert "rebootSetting" in text_at(outcome, "reason")
    assert writes(azure) == []


def test_a_plan_that_somebody_changed_in_the_ledger_is_refused_in_words(
    unlocked: App, azure: Simulator, tmp_path: Path
) -> None:
    """Nobody has reviewed what it says now: it is not shown as the plan of the run, not applied, and not undone."""
    run = unlocked.swept(states=["maintenance-window-exceeded"])
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger, ledger:
        changed = ledger.execute("UPDATE entries SET body = replace(body, 'PT3H', 'PT6H') WHERE kind = 'plan'")
        assert changed.rowcount == 1

    answers = [
        unlocked.get(f"/runs/{run['id']}"),
        unlocked.post(f"/runs/{run['id']}/apply"),
        unlocked.post(f"/runs/{run['id']}/undo"),
    ]

    assert [answer.status for answer in answers] == [409] * 3
    assert all("it was changed since" in text_at(answer.json, "detail") for answer in answers)
    unlocked.finish()
    assert writes(azure) == []


def test_a_run_is_there_after_the_app_has_restarted(azure: Simulator, tmp_path: Path) -> None:
    """A plan saved by one process of the app is applied by the next one."""
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        run = app.swept(states=["automation-rp-not-registered"])

    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        assert app.run(str(run["id"])) == run
        app.post(f"/runs/{run['id']}/apply")
        app.finish()
        assert set(outcomes(app.run(str(run["id"]))).values()) == {"remediated"}


def test_the_audit_trail_comes_a_page_at_a_time(unlocked: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every decision of a run with its actor and reason; what Azure called the write that was made."""
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    run = str(unlocked.swept(states=["automation-rp-not-registered"])["id"])
    unlocked.send("POST", f"/runs/{run}/apply", headers={"x-ms-client-principal-name": "bea@example.com"})
    unlocked.finish()

    whole = objects(unlocked.get(f"/audit?run={run}").json, "records")
    paged: list[Document] = []
    following = ""
    while following is not None:
        page = unlocked.get(f"/audit?run={run}&limit=3{following}").json
        paged += objects(page, "records")
        following = f"&after={page['next']}" if page["next"] else None  # type: ignore[assignment]

    assert paged == whole
    acted = [record for record in whole if record["decision"] == "acted"]
    assert acted
    assert all(record["actor"] == {"kind": "person", "name": "bea@example.com"} for record in acted)
    assert all(record["requestIds"] and record["planHash"] for record in acted)
    assert unlocked.get("/audit?limit=1").json["next"]
    for query, field in (("limit=0", "limit"), ("since=yesterday", "since"), ("after=x", "after"), ("run=x", "run")):
        assert unlocked.get(f"/audit?{query}").field == field
