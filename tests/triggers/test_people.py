"""What a person says over HTTP, to the app on the development host: yes, no, stop, and go on."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from devhost.durable import Status
from model.documents import Document, Json, text_at
from simulator.serve import Simulator
from tests.triggers.app import (
    ASKING,
    STATE,
    SUBSCRIPTION,
    Activity,
    App,
    objects,
    outcomes,
    the_app,
    wrap_activity,
    writes,
)


def asked(app: App) -> Document:
    """What a sweep that may act asks about."""
    app.swept(dry_run=False, machines=[SUBSCRIPTION])
    (approval,) = objects(app.get("/approvals").json, "approvals")
    return approval


def answer(app: App, approval: Document, decision: str, **rest: Json) -> Document:
    said = app.post(f"/approvals/{approval['id']}", {"decision": decision, "reason": "seen it", **rest})
    assert said.status in {200, 202}, said.text
    return said.json


class TestApprovals:
    def test_a_sweep_waits_and_an_approval_goes_on_with_it(self, asking: App, azure: Simulator) -> None:
        """The orchestration that asked is the one that treats: nothing is surveyed again."""
        approval = asked(asking)
        waiting = asking.run(text_at(approval, "run"))
        assert (waiting["status"], writes(azure)) == ("waiting", [])
        before = len(asking.instances)

        answer(asking, approval, "approve")
        asking.finish()

        run = asking.run(text_at(approval, "run"))
        assert outcomes(run) == {text_at(approval, "finding"): "remediated"}
        assert run["status"] == "completed"
        assert len(writes(azure)) == 1
        assert [one.name for one in asking.instances[before:]] == ["wave"]
        assert asking.instances[0].status is Status.COMPLETED, "the timer that it raced with is given up"

    def test_a_rejection_ends_it_with_the_reason(self, asking: App, azure: Simulator) -> None:
        approval = asked(asking)

        said = answer(asking, approval, "reject", reason="not in March")
        asking.finish()

        run = asking.run(text_at(approval, "run"))
        assert (said["status"], said["reason"]) == ("rejected", "not in March")
        assert outcomes(run) == {text_at(approval, "finding"): "refused"}
        assert "not in March" in text_at(objects(run, "outcomes")[0], "reason")
        assert (run["status"], writes(azure)) == ("completed", [])

    def test_who_asked_is_recorded_where_the_platform_says_it(
        self, asking: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
        approval = asked(asking)

        said = asking.send(
            "POST",
            f"/approvals/{approval['id']}",
            b'{"decision": "reject", "reason": "no"}',
            {"Content-Type": "application/json", "X-MS-CLIENT-PRINCIPAL-NAME": "anna@contoso.com"},
        )

        assert said.json["by"] == "anna@contoso.com"

    def test_a_second_answer_is_refused(self, asking: App) -> None:
        approval = asked(asking)
        answer(asking, approval, "approve")

        again = asking.post(f"/approvals/{approval['id']}", {"decision": "reject", "reason": "changed my mind"})

        assert again.status == 409
        assert "answered already: approved" in text_at(again.json, "detail")

    def test_another_plan_s_hash_is_refused(self, asking: App) -> None:
        approval = asked(asking)

        said = asking.post(f"/approvals/{approval['id']}", {"decision": "approve", "reason": "yes", "plan": "0" * 64})

        assert said.status == 409
        assert objects(asking.get("/approvals").json, "approvals") == [approval]
        answer(asking, approval, "approve", plan=approval["planHash"])
        asking.finish()

    def test_an_answer_that_comes_too_late_is_refused_and_it_is_held(self, asking: App, azure: Simulator) -> None:
        approval = asked(asking)
        azure.advance(timedelta(days=1))
        asking.finish()

        late = asking.post(f"/approvals/{approval['id']}", {"decision": "approve", "reason": "yes"})

        assert late.status == 409
        assert "expired" in text_at(late.json, "detail")
        run = asking.run(text_at(approval, "run"))
        assert outcomes(run) == {text_at(approval, "finding"): "held"}

    def test_a_yes_is_taken_where_the_orchestration_is_gone(self, asking: App, azure: Simulator) -> None:
        """Purged, or of a run that began on a command line: a process of its own goes on."""
        approval = asked(asking)
        for instance in asking.instances:
            asking.host.host.hub.terminate(instance, "purged")

        answer(asking, approval, "approve")
        asking.finish()

        assert outcomes(asking.run(text_at(approval, "run"))) == {text_at(approval, "finding"): "remediated"}
        assert len(writes(azure)) == 1

    def test_everything_may_be_delivered_twice(self, azure: Simulator, tmp_path: Path) -> None:
        with the_app(azure, tmp_path / "twice.sqlite", ASKING, deliveries=2) as app:
            approval = asked(app)
            answer(app, approval, "approve")
            app.finish()

            run = app.run(text_at(approval, "run"))
            assert outcomes(run) == {text_at(approval, "finding"): "remediated"}
            assert len(writes(azure)) == 1


class TestTheKillSwitch:
    def test_a_pause_is_told_everywhere(self, acting: App) -> None:
        paused = acting.post("/pause", {"reason": "an incident"})

        assert paused.status == 200
        (pause,) = objects(paused.json, "pauses")
        assert (pause["state"], pause["reason"]) == (None, "an incident")
        assert objects(acting.get("/health").json, "pauses") == [{"state": None, "since": pause["since"]}]
        assert all(one["paused"] == pause for one in objects(acting.get("/states").json, "states"))

    def test_the_pause_of_a_state_is_that_state_s(self, acting: App) -> None:
        acting.post("/pause", {"state": STATE})

        paused = [one["id"] for one in objects(acting.get("/states").json, "states") if one["paused"]]
        assert paused == [STATE]

    def test_nothing_can_be_applied_meanwhile(self, acting: App, azure: Simulator) -> None:
        run = acting.swept()
        acting.post("/pause")

        sweep, apply = acting.post("/sweeps", {"dry_run": False}), acting.post(f"/runs/{run['id']}/apply")

        assert (sweep.status, apply.status) == (409, 409)
        assert "the app is paused" in text_at(sweep.json, "detail")
        assert writes(azure) == []

    def test_nor_approved(self, asking: App) -> None:
        approval = asked(asking)
        asking.post("/pause", {"state": STATE})

        said = asking.post(f"/approvals/{approval['id']}", {"decision": "approve", "reason": "yes"})

        assert said.status == 409
        assert "is paused" in text_at(said.json, "detail")
        assert objects(asking.get("/approvals").json, "approvals") == [approval]

    def test_sweeps_go_on_observing(self, acting: App) -> None:
        acting.post("/pause")

        run = acting.swept()

        assert objects(run, "findings")
        assert run["status"] == "completed"

    def test_what_was_queued_is_kept_shown_and_resumed_by_a_person_only(self, acting: App, azure: Simulator) -> None:
        self.pause_before_the_first_step(acting)
        run = acting.swept(dry_run=False, machines=[SUBSCRIPTION])
        (work,) = objects(acting.post("/pause").json, "queued")
        assert (work["run"], run["status"], run["waitingFor"]) == (run["id"], "waiting", "resume")

        resumed = acting.post("/resume")
        assert objects(resumed.json, "started") == []
        acting.finish()
        assert writes(azure) == []

        resumed = acting.post("/resume", {"queued": True})
        assert [one["run"] for one in objects(resumed.json, "started")] == [run["id"]]
        acting.finish()
        run = acting.run(str(run["id"]))
        assert (set(outcomes(run).values()), run["status"]) == ({"remediated"}, "completed")
        assert len(writes(azure)) == 1

    def test_what_was_queued_can_be_gone_on_with_run_by_run(self, acting: App, azure: Simulator) -> None:
        self.pause_before_the_first_step(acting)
        run = acting.swept(dry_run=False, machines=[SUBSCRIPTION])
        acting.post("/resume")

        assert acting.post(f"/runs/{run['id']}/apply").status == 202
        acting.finish()

        assert len(writes(azure)) == 1

    def test_what_is_paused_still_stays_queued(self, acting: App, azure: Simulator) -> None:
        self.pause_before_the_first_step(acting)
        acting.swept(dry_run=False, machines=[SUBSCRIPTION])
        acting.post("/pause", {"state": STATE})

        resumed = acting.post("/resume", {"queued": True})

        assert objects(resumed.json, "started") == []
        assert len(objects(resumed.json, "queued")) == 1
        assert writes(azure) == []

    @staticmethod
    def pause_before_the_first_step(app: App) -> None:
        done: list[bool] = []

        def pausing(activity: Activity) -> Activity:
            def called(given: Document) -> Document:
                if not done:
                    done.append(True)
                    engine().switch.pause(None, by="anna", reason="wait")
                return activity(given)

            return called

        engine = sys.modules["function_app"].engine
        wrap_activity(app, "step", pausing)
