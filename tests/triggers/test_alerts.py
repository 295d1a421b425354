"""Alerts over HTTP: one sweep for one alert, about what the alert is about."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from devhost.host import PROJECT
from model.documents import Document, at, text_at
from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, Answer, App, objects, outcomes, the_app, writes
from tests.triggers.payloads import an_alert, read


def workspace(azure: Simulator) -> str:
    return azure.settings["PATCHWRIGHT_WORKSPACES"]


def found(run: Document) -> set[str]:
    return {text_at(finding, "key") for finding in objects(run, "findings")}


def test_an_alert_starts_a_sweep_of_what_it_names(locked: App, azure: Simulator) -> None:
    """
    A log alert on the workspace fires for one machine: 202 with a place to look, and a sweep that finds what is wrong
    with this machine and nothing else. Its rule is in the record.
    """
    everything = locked.swept()
    wanted = next(f for f in objects(everything, "findings") if f["state"] == "source-id-changed")

    answer = locked.post("/alerts", an_alert(workspace(azure), dimensions={"_ResourceId": str(wanted["target"])}))
    locked.finish()

    assert answer.status == 202
    assert answer.headers["location"] == f"/api/runs/{answer.id}"
    run = locked.run(answer.id)
    assert (run["trigger"], run["by"], run["status"], run["mode"]) == ("alert", "patching", "completed", "dry-run")
    assert found(run) == {wanted["key"]}


def test_an_alert_about_a_status_looks_for_the_states_that_it_tells_of(locked: App, azure: Simulator) -> None:
    """The account's metric for machine runs, split by status."""
    alert = an_alert(
        azure.settings["PATCHWRIGHT_AUTOMATION_ACCOUNTS"], dimensions={"Status": "MaintenanceWindowExceeded"}
    )

    answer = locked.post("/alerts", alert)
    locked.finish()

    run = locked.run(answer.id)
    assert at(run, "scope.states") == ["maintenance-window-exceeded"]
    assert {str(finding["state"]) for finding in objects(run, "findings")} == {"maintenance-window-exceeded"}


def test_the_alert_of_the_readme_starts_a_sweep(locked: App) -> None:
    """`docs/alert.json`, posted to what `make serve` serves."""
    answer = locked.post("/alerts", read(PROJECT / "docs" / "alert.json"))
    locked.finish()

    assert answer.status == 202
    assert objects(locked.run(answer.id), "findings")


def test_a_resolved_alert_is_nothing_to_do(locked: App, azure: Simulator) -> None:
    answer = locked.post("/alerts", an_alert(workspace(azure), condition="Resolved"))

    assert answer.status == 200
    assert "resolved" in text_at(answer.json, "reason")
    assert locked.instances == []


def test_an_alert_about_nothing_in_scope_is_nothing_to_do(locked: App) -> None:
    """An empty selection selects nothing; it is not an error either, or the action group would deliver it again."""
    answer = locked.post("/alerts", an_alert("/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg"))

    assert answer.status == 200
    assert "nothing in the configured scope" in text_at(answer.json, "reason")
    assert locked.instances == []


def test_one_alert_delivered_a_hundred_times_at_once_starts_one_sweep(locked: App, azure: Simulator) -> None:
    """One delivery is told 202, the others 200, and all of them the same run."""
    alert = an_alert(workspace(azure))
    answers: list[Answer] = []
    ready = threading.Barrier(20)

    def deliver() -> None:
        ready.wait(30)
        answers.extend(locked.post("/alerts", alert) for _ in range(5))

    threads = [threading.Thread(target=deliver) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    locked.finish()

    assert Counter(answer.status for answer in answers) == {200: 99, 202: 1}
    assert len({answer.id for answer in answers}) == 1
    assert [instance.name for instance in locked.instances] == ["sweep"]
    assert len(objects(locked.get("/runs").json, "runs")) == 1


def test_one_alert_delivered_again_when_its_sweep_is_over_starts_no_other(locked: App, azure: Simulator) -> None:
    alert = an_alert(workspace(azure))
    first = locked.post("/alerts", alert)
    locked.finish()

    again = locked.post("/alerts", alert)

    assert (again.status, again.id) == (200, first.id)
    assert len(locked.instances) == 1


def test_one_alert_delivered_to_two_hosts_of_the_app_starts_one_sweep(azure: Simulator, tmp_path: Path) -> None:
    """The second host, a restarted one here, knows of the first only by the ledger."""
    alert = an_alert(workspace(azure))
    with the_app(azure, tmp_path / "ledger.sqlite") as app:
        first = app.post("/alerts", alert)
        app.finish()

    with the_app(azure, tmp_path / "ledger.sqlite") as app:
        again = app.post("/alerts", alert)

        assert (again.status, again.id) == (200, first.id)
        assert app.instances == []


def test_the_next_alert_of_the_same_rule_starts_another_sweep(locked: App, azure: Simulator) -> None:
    first = locked.post("/alerts", an_alert(workspace(azure)))
    second = locked.post("/alerts", an_alert(workspace(azure)))

    assert [first.status, second.status] == [202, 202]
    assert first.id != second.id


def test_a_delivery_that_died_before_the_sweep_began_is_made_good_by_the_next(locked: App, azure: Simulator) -> None:
    """The host could not start anything: 503, and the action group's next try starts what the first wrote down."""
    alert = an_alert(workspace(azure))
    hub = locked.host.host.hub

    def refuses(*_: object, **__: object) -> None:
        raise OSError("the task hub is not there")

    hub.start, start = refuses, hub.start  # type: ignore[method-assign, assignment]
    died = locked.post("/alerts", alert)
    assert (died.status, locked.instances) == (503, [])
    (shown,) = objects(locked.get("/runs").json, "runs")
    assert shown["status"] == "failed"

    hub.start = start  # type: ignore[method-assign]
    answer = locked.post("/alerts", alert)
    locked.finish()

    assert (answer.status, answer.id) == (202, shown["id"])
    assert locked.run(answer.id)["status"] == "completed"


def test_a_delivery_that_died_with_its_host_is_made_good_later(azure: Simulator, tmp_path: Path) -> None:
    """Written down, and never started: half a minute later nobody can be about to start it any more."""
    alert, file = an_alert(workspace(azure)), tmp_path / "ledger.sqlite"
    with the_app(azure, file) as app:
        first = app.post("/alerts", alert)
        app.finish()
    # What a process leaves behind that ends between writing the run down and starting it.
    with closing(sqlite3.connect(file)) as ledger, ledger:
        ledger.execute("DELETE FROM entries WHERE id NOT IN ('run', 'status:running')")

    with the_app(azure, file) as app:
        assert app.post("/alerts", alert).status == 200, "somebody may be about to start it"
        azure.advance(timedelta(seconds=31))
        answer = app.post("/alerts", alert)
        app.finish()

        assert (answer.status, answer.id) == (202, first.id)
        assert app.run(answer.id)["status"] == "completed"


def test_an_alert_acts_only_where_the_lock_is_open(azure: Simulator, tmp_path: Path) -> None:
    """The same alert: a plan from the locked app, a repair from the unlocked one."""
    alert = an_alert(workspace(azure), properties={"patchwright.state": "automation-rp-not-registered"})
    with the_app(azure, tmp_path / "locked.sqlite", {**UNLOCKED, "DRY_RUN": "true"}) as app:
        answer = app.post("/alerts", alert)
        app.finish()
        assert set(outcomes(app.run(answer.id)).values()) == {"observed"}
        assert writes(azure) == []

    with the_app(azure, tmp_path / "unlocked.sqlite", UNLOCKED) as app:
        answer = app.post("/alerts", alert)
        app.finish()
        done = outcomes(app.run(answer.id))
        assert set(done.values()) == {"remediated"}
        assert [asked.rpartition("/")[2] for asked in writes(azure)] == ["register"] * len(done)
