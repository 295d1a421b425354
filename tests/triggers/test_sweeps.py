"""Sweeps asked for over HTTP: a plan from a dry run, and its way through Durable Functions when it is applied."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from devhost.durable import Event
from model.documents import at, list_at, text_at
from model.times import parse_time
from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, App, failed, objects, outcomes, the_app, writes


def test_a_sweep_is_answered_at_once_with_a_place_to_look(locked: App) -> None:
    """202, and the place already knows of the run, however long it takes."""
    answer = locked.post("/sweeps", {})

    assert answer.status == 202
    assert answer.headers["location"] == f"/api/runs/{answer.id}"
    run = locked.get(f"/runs/{answer.id}")
    assert run.status == 200
    assert run.json["id"] == answer.id


def test_a_dry_run_shows_a_plan_and_sends_nothing_that_could_change_anything(locked: App, azure: Simulator) -> None:
    """Plans with a field-level difference for every deployment that would be edited, from reads alone."""
    run = locked.swept()

    assert run["status"] == "completed"
    assert run["mode"] == "dry-run"
    assert {text_at(plan, "finding").split(":")[0] for plan in objects(run, "plans")} == {
        "automation-rp-not-registered",
        "cloned-machine",
        "maintenance-window-exceeded",
        "source-id-changed",
    }
    edits = [s for plan in objects(run, "plans") for s in objects(plan, "steps") if s["kind"] == "put-deployment"]
    assert edits
    assert all(list_at(edit, "diff") for edit in edits)
    assert writes(azure) == []
    assert at(run, "facts.requests.write") == 0


def test_a_sweep_without_a_body_is_a_dry_run_of_everything(unlocked: App, azure: Simulator) -> None:
    """Even where the app is unlocked: only a plain `false` makes it anything else."""
    answer = unlocked.send("POST", "/sweeps")
    unlocked.finish()

    assert answer.status == 202
    assert unlocked.run(answer.id)["mode"] == "dry-run"
    assert writes(azure) == []


def test_a_sweep_of_one_state_and_one_machine_finds_nothing_else(locked: App) -> None:
    everything = objects(locked.swept(), "findings")
    wanted = next(finding for finding in everything if finding["state"] == "source-id-changed")

    run = locked.swept(states=["source-id-changed"], machines=[wanted["target"]])

    assert [finding["key"] for finding in objects(run, "findings")] == [wanted["key"]]


def test_an_empty_selection_selects_nothing(locked: App) -> None:
    """An empty list is not the same as no list."""
    assert objects(locked.swept(machines=[]), "findings") == []
    assert objects(locked.swept(states=[]), "findings") == []


def test_a_saved_plan_is_applied_and_verified_after_days(unlocked: App, azure: Simulator) -> None:
    """
    The plan of a dry run is applied by a second call. The process waits for the next runs of deployments, which are
    days away, on durable timers, and then lets the same detectors look.
    """
    run = unlocked.swept()
    before = azure.now

    answer = unlocked.post(f"/runs/{run['id']}/apply")
    unlocked.finish()

    assert answer.status == 202
    assert answer.headers["location"] == f"/api/runs/{run['id']}"
    applied = unlocked.run(answer.id)
    assert (applied["status"], applied["mode"], applied["error"]) == ("completed", "apply", None)
    planned = {text_at(plan, "finding") for plan in objects(run, "plans")}
    assert {key for key, outcome in outcomes(applied).items() if outcome == "remediated"} == planned
    assert azure.now - before > timedelta(days=1)
    again = unlocked.swept()
    assert objects(again, "plans") == []


def test_only_the_named_findings_are_applied(unlocked: App) -> None:
    run = unlocked.swept()
    chosen = text_at(objects(run, "plans")[0], "finding")

    unlocked.post(f"/runs/{run['id']}/apply", {"findings": [chosen]})
    unlocked.finish()

    done = outcomes(unlocked.run(str(run["id"])))
    assert [key for key, outcome in done.items() if outcome == "remediated"] == [chosen]


def test_a_sweep_that_may_act_treats_what_it_finds_in_waves(unlocked: App, azure: Simulator) -> None:
    """One process, one call: read, plan, apply, wait, verify. Each wave is an orchestration of its own."""
    run = unlocked.swept(dry_run=False)

    assert run["mode"] == "apply"
    assert "remediated" in outcomes(run).values()
    waves = [instance for instance in unlocked.instances if instance.name == "wave"]
    assert [wave.id for wave in waves] == [f"{run['id']}-wave-{number}" for number in range(len(waves))]
    assert len(waves) > 1
    assert failed(unlocked.instances) == []


def test_nothing_is_applied_twice_though_everything_is_delivered_twice(azure: Simulator, tmp_path: Path) -> None:
    """
    Durable Functions promises every activity at least once. With every activity and every episode delivered twice,
    Azure is asked for each change as often as with one delivery: once for every step of a plan.
    """
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED, deliveries=2) as app:
        run = app.swept()
        app.post(f"/runs/{run['id']}/apply")
        app.finish()
        done = app.run(str(run["id"]))

    planned = [s for plan in objects(run, "plans") for s in objects(plan, "steps") if s["kind"] == "put-deployment"]
    puts = [asked for asked in writes(azure) if "/softwareUpdateConfigurations/" in asked and asked.startswith("PUT")]
    assert len(puts) == len(planned)
    assert set(outcomes(done).values()) <= {"remediated", "declined"}


def test_a_sweep_survives_the_function_time_out(unlocked: App, azure: Simulator) -> None:
    """
    Waiting is a timer in the history and holds no function: while days pass, no activity runs longer than it needs,
    and the run ends days after it began.
    """
    run = unlocked.swept(dry_run=False)

    began, ended = parse_time(run["started"]), parse_time(run["finished"])
    assert began is not None
    assert ended is not None
    assert ended - began > timedelta(days=1)
    (sweep,) = [instance for instance in unlocked.instances if instance.name == "sweep"]
    assert any(event["EventType"] == Event.TIMER_FIRED for event in sweep.history), (
        "a timer fired in the sweep's own history"
    )
