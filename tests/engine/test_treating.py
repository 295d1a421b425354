"""From a finding to its end: looking, planning, applying, verifying; each way it can go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from detectors import DETECTORS
from engine.inline import TooLongToWait
from engine.ports import AzureUnavailable, NotFound, PermissionMissing, StepFailed, StepStale
from model.documents import Document
from model.facts import Reading
from model.findings import Detection
from model.plans import PutDeployment, RunScript, Step
from model.states import FailureState, Mode
from tests.builders import DAY, HOUR, MINUTE, NOW, SUBSCRIPTION, a_machine, a_saved_search, update_deployment
from tests.engine.conftest import App

WEEKLY = update_deployment("Weekly").lower()


class TestADryRun:
    def test_shows_the_plan_and_changes_nothing(self, app: App) -> None:
        """The hand that writes is not even asked."""
        key = app.renamed()

        run = app.plan()

        document = app.document(run)
        assert [plan["finding"] for plan in document["plans"]] == [key]
        assert (document["mode"], document["status"]) == ("dry-run", "completed")
        assert app.outcomes(run) == {key: "observed"}
        assert (app.hand.asked, app.hand.writes) == ([], [])
        assert document["facts"]["requests"]["write"] == 0
        assert document["facts"]["requests"]["read"] > 0

    def test_is_what_a_request_is_that_does_not_say_otherwise(self, app: App) -> None:
        app.unregistered()

        app.engine.activities["survey"]({"run": "r", "trigger": "timer"})

        assert app.document("r")["mode"] == "dry-run"

    def test_takes_no_lease_and_starts_no_cool_down(self, app: App) -> None:
        app.renamed()

        run = app.plan()

        assert app.ledger.held_by(run, app.clock.now()) == set()

    def test_is_all_that_a_locked_app_can_do(self, app: App) -> None:
        """`DRY_RUN` is a lock: a request that is none becomes one, and no saved plan is applied."""
        key = app.unregistered()
        app.set(dry_run=True)

        run = app.sweep(dry_run=False)
        assert (app.document(run)["mode"], app.outcomes(run)) == ("dry-run", {key: "observed"})

        app.apply(run)
        assert app.outcomes(run) == {key: "refused"}
        assert "DRY_RUN is set" in app.reason(run)
        assert app.hand.asked == []

    def test_says_which_belt_would_object(self, app: App) -> None:
        app.unregistered()
        app.set(modes={})

        run = app.plan()

        assert "mode would object" in app.reason(run)
        assert app.document(run)["plans"][0]["verdict"]["kind"] == "hold"


class TestASweepThatActs:
    def test_treats_and_verifies_each_state(self, app: App) -> None:
        """Two PUTs for the machine, one for the window, one registration; each is found no more in the end."""
        provider, machine, window = app.unregistered(), app.renamed(), app.late()

        run = app.sweep()

        assert app.outcomes(run) == {provider: "remediated", machine: "remediated", window: "remediated"}
        assert app.hand.writes == [
            "register Microsoft.Automation",
            "Weekly: web-01, PT2H",
            "Weekly: sql-01 web-01, PT2H",
            "Monthly: late-monthly, PT3H",
        ]
        assert app.document(run)["facts"]["requests"]["write"] == 4
        assert (app.document(run)["mode"], app.document(run)["status"]) == ("apply", "completed")

    def test_waits_for_the_next_run_before_it_calls_a_machine_healed(self, app: App) -> None:
        app.renamed()

        app.sweep()

        assert app.clock.now() == NOW + 3 * DAY + 30 * MINUTE

    def test_gives_every_lease_back(self, app: App) -> None:
        app.renamed()
        app.late()

        run = app.sweep()

        assert app.ledger.held_by(run, app.clock.now()) == set()

    def test_of_a_healthy_estate_treats_nothing(self, app: App) -> None:
        run = app.sweep()

        document = app.document(run)
        assert (document["findings"], document["plans"], document["outcomes"]) == ([], [], [])
        assert document["status"] == "completed"

    @pytest.mark.parametrize(("mode", "outcome"), [(Mode.ACT, "remediated"), (Mode.OBSERVE, "held")])
    def test_goes_as_far_as_the_mode_of_the_state_lets_it(self, app: App, mode: Mode, outcome: str) -> None:
        key = app.unregistered()
        app.set(modes={FailureState.AUTOMATION_RP_NOT_REGISTERED: mode})

        assert app.outcomes(app.sweep()) == {key: outcome}

    def test_does_not_look_for_a_state_that_is_off(self, app: App) -> None:
        app.unregistered()
        app.set(modes={FailureState.AUTOMATION_RP_NOT_REGISTERED: Mode.OFF})

        assert app.document(app.sweep())["findings"] == []

    def test_reports_what_has_no_safe_plan_with_what_a_person_has_to_do(self, app: App) -> None:
        key = app.renamed(others=())

        run = app.sweep()

        assert app.outcomes(run) == {key: "declined"}
        (advice,) = app.document(run)["advice"]
        assert advice["finding"] == key
        assert advice["steps"]
        assert app.hand.asked == []

    def test_of_clones_treats_one_after_the_other_until_one_is_left(self, app: App) -> None:
        """Each after a new look: the last one has the identity to itself, and keeps it."""
        keys = app.clones("clone-01", "clone-02", "clone-03")

        run = app.sweep()

        assert [app.outcomes(run)[key] for key in keys] == ["remediated", "remediated", "stale"]
        assert len(app.hand.writes) == 2

    def test_takes_a_clone_out_of_the_scope_and_puts_it_back(self, app: App) -> None:
        one, two = (a_machine(name) for name in ("clone-01", "clone-02"))
        app.clones("clone-01", "clone-02")
        query = f'Heartbeat | where VMUUID in~ ("{one.vm_id}", "{two.vm_id}")'
        search = a_saved_search(query)
        app.world.searches[search.id] = search

        app.sweep()

        assert app.hand.writes == ["saved search", "windows/reset-worker-key.ps1 on clone-01", "saved search"]
        assert app.world.searches[search.id].document == search.document


class TestASelection:
    def test_that_is_empty_selects_nothing(self, app: App) -> None:
        app.unregistered()
        app.renamed()

        for run in (app.sweep(machines=[]), app.sweep(states=[])):
            assert app.document(run)["findings"] == []
        assert app.hand.asked == []

    def test_of_machines_and_states_leaves_the_rest_alone(self, app: App) -> None:
        app.unregistered()
        sql, erp = app.renamed("sql-01"), app.renamed("erp-01", deployment="Other", others=["web-09"])

        run = app.sweep(states=[FailureState.SOURCE_ID_CHANGED], machines=[a_machine("erp-01").id])

        assert app.outcomes(run) == {erp: "remediated"}
        assert sql not in app.outcomes(run)
        assert all("Other" in write for write in app.hand.writes)


class TestApplyingASavedPlan:
    def test_does_what_the_plan_says(self, app: App) -> None:
        key = app.renamed()
        run = app.plan()

        app.apply(run)

        assert app.outcomes(run) == {key: "remediated"}
        assert app.hand.writes == ["Weekly: web-01, PT2H", "Weekly: sql-01 web-01, PT2H"]
        assert (app.document(run)["mode"], app.document(run)["status"]) == ("apply", "completed")

    def test_is_a_person_s_word_in_mode_ask(self, app: App) -> None:
        key = app.unregistered()
        app.set(modes={FailureState.AUTOMATION_RP_NOT_REGISTERED: Mode.ASK})
        run = app.plan()
        assert app.document(run)["plans"][0]["verdict"]["kind"] == "allow"

        app.apply(run)

        assert app.outcomes(run) == {key: "remediated"}

    def test_does_not_help_in_mode_observe(self, app: App) -> None:
        key = app.unregistered()
        app.set(modes={})
        run = app.plan()

        app.apply(run)

        assert app.outcomes(run) == {key: "held"}
        assert app.hand.asked == []

    def test_of_the_named_findings_only(self, app: App) -> None:
        provider, machine = app.unregistered(), app.renamed()
        run = app.plan()

        app.apply(run, findings=[provider, "cloned-machine:/never/heard/of"])

        assert app.outcomes(run) == {provider: "remediated", machine: "observed"}

    def test_of_no_findings_does_nothing(self, app: App) -> None:
        key = app.unregistered()
        run = app.plan()

        app.apply(run, findings=[])

        assert app.outcomes(run) == {key: "observed"}

    def test_twice_changes_once(self, app: App) -> None:
        app.renamed()
        run = app.plan()

        app.apply(run)
        app.apply(run)

        assert len(app.hand.writes) == 2

    def test_of_a_finding_that_is_gone_changes_nothing(self, app: App) -> None:
        key = app.unregistered()
        run = app.plan()
        app.unregistered("Registered")

        app.apply(run)

        assert app.outcomes(run) == {key: "stale"}
        assert app.reason(run) == "it is not found any more"
        assert app.hand.asked == []

    def test_of_a_finding_that_cannot_be_told_any_more_changes_nothing(self, app: App) -> None:
        key = app.renamed()
        run = app.plan()
        app.world.unreadable = {"machine-runs": "GET: 503"}

        app.apply(run)

        assert app.outcomes(run) == {key: "stale"}
        assert app.reason(run) == "cannot be told any more: GET: 503"

    def test_after_a_failure_is_a_new_try(self, app: App) -> None:
        """With steps of its own: the failed ones stay in the record."""
        key = app.unregistered()
        app.hand.trouble = {0: [StepFailed(reason="AuthorizationFailed")]}
        run = app.plan()
        app.apply(run)
        assert app.outcomes(run) == {key: "failed"}
        assert app.reason(run) == "step 1 of 1: AuthorizationFailed"

        app.apply(run)

        assert app.outcomes(run) == {key: "remediated"}
        assert [(step["try"], step["event"]) for step in app.document(run)["steps"]] == [
            (0, "began"),
            (0, "failed"),
            (1, "began"),
            (1, "done"),
        ]


class TestAStep:
    def test_that_may_succeed_later_is_tried_again_with_growing_waits(self, app: App) -> None:
        key = app.unregistered()
        app.hand.trouble = {0: [StepFailed(reason="409", retry=True)] * 3}

        run = app.sweep()

        assert app.outcomes(run) == {key: "remediated"}
        assert [s.total_seconds() for s in app.clock.sleeps[:3]] == [30, 60, 120]
        reasons = [step.get("reason") for step in app.document(run)["steps"] if step["event"].startswith("try-")]
        assert reasons == ["409", "409", "409"]

    @pytest.mark.parametrize("error", [AzureUnavailable("PUT: 503"), AzureUnavailable("time-out")])
    def test_that_azure_did_not_answer_is_tried_again(self, app: App, error: Exception) -> None:
        key = app.unregistered()
        app.hand.trouble = {0: [error]}

        assert app.outcomes(app.sweep()) == {key: "remediated"}

    def test_is_given_up_after_half_an_hour_of_trying(self, app: App) -> None:
        key = app.unregistered()
        app.hand.trouble = {0: [StepFailed(reason="429", retry=True)] * 100}

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert 30 * MINUTE <= app.clock.now() - NOW < 60 * MINUTE
        assert app.hand.writes == []

    @pytest.mark.parametrize(
        ("trouble", "reason"),
        [
            (StepFailed(reason="BadRequest"), "BadRequest"),
            (PermissionMissing("Microsoft.Automation/register/action"), "permission missing: Microsoft.Automation"),
            (NotFound("the subscription"), "not found: the subscription"),
            (ZeroDivisionError("a bug"), "ZeroDivisionError: a bug"),
        ],
    )
    def test_that_cannot_succeed_fails_at_once_with_its_reason(self, app: App, trouble: Any, reason: str) -> None:
        key = app.unregistered()
        app.hand.trouble = {0: [trouble]}

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert reason in app.reason(run)
        assert app.clock.now() == NOW

    def test_that_failed_hides_no_other_finding(self, app: App) -> None:
        provider, machine = app.unregistered(), app.renamed()
        app.hand.trouble = {0: [RuntimeError("a bug")]}

        assert app.outcomes(app.sweep()) == {provider: "failed", machine: "remediated"}

    def test_that_is_pending_is_looked_at_again_with_what_it_remembered(self, app: App) -> None:
        """The script is sent once, and asked after under its own token."""
        app.clones("clone-01", "clone-02")

        app.sweep()

        assert app.hand.asked[:3] == [("begin", "RunScript"), ("check", "RunScript"), ("begin", "AwaitIdentity")]

    def test_records_what_it_left_behind_for_the_undo(self, app: App) -> None:
        app.clones("clone-01", "clone-02")

        run = app.sweep()

        done = [step for step in app.document(run)["steps"] if step["event"] == "done" and step["index"] == 0]
        assert [step["result"] for step in done] == [{"outcome": "reset", "sha256": "00"}]


class TestBetweenTheTwoPuts:
    """The machine is out of the deployment; whatever happens now, it has to get back."""

    LISTED = "Weekly: sql-01 web-01, PT2H"

    def test_a_failing_second_put_is_repeated_for_hours_until_it_holds(self, app: App) -> None:
        key = app.renamed()
        app.hand.trouble = {1: [StepFailed(reason="500", retry=True)] * 40}

        run = app.sweep()

        assert app.outcomes(run) == {key: "remediated"}
        assert app.hand.writes == ["Weekly: web-01, PT2H", self.LISTED]
        assert max(app.clock.sleeps[:40]) == 15 * MINUTE
        assert sum(app.clock.sleeps[:40], timedelta()) > 8 * HOUR

    def test_it_is_not_repeated_for_ever(self, app: App) -> None:
        """After a day a person has to look, and the record says what is missing."""
        key = app.renamed()
        app.hand.trouble = {1: [StepFailed(reason="500", retry=True)] * 1000}

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert app.reason(run) == "step 2 of 2: 500"
        assert app.clock.now() - NOW >= DAY

    def test_where_the_answer_to_the_first_put_was_lost_the_second_one_puts_back(self, app: App) -> None:
        """The write may have happened, so it is taken as if it had."""
        key = app.renamed()

        def answer_lost(step: Step) -> None:
            if isinstance(step, PutDeployment) and not step.restores and not app.hand.writes:
                app.world.save(WEEKLY, step.after)
                app.hand.writes.append("Weekly: web-01, PT2H")
                app.hand.before = lambda _: None
                raise PermissionMissing("after the write")

        app.hand.before = answer_lost

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert app.hand.writes == ["Weekly: web-01, PT2H", self.LISTED]
        assert "step 1 of 2" in app.reason(run)

    def test_where_nothing_was_taken_away_nothing_is_put_back(self, app: App) -> None:
        key = app.renamed()
        app.hand.trouble = {0: [StepFailed(reason="BadRequest")]}
        before = app.world.bodies[WEEKLY]

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert app.hand.writes == []
        assert app.world.bodies[WEEKLY] == before

    def test_a_lease_that_another_run_took_meanwhile_is_waited_for(self, app: App) -> None:
        key = app.renamed()

        def stolen(name: str, given: Document) -> None:
            if name == "step" and given["index"] == 0:
                app.ledger.claims[f"lease:{WEEKLY}"] = ("other-run", app.clock.now() + HOUR)

        app.after = stolen

        run = app.sweep()

        assert app.outcomes(run) == {key: "remediated"}
        assert app.hand.writes[-1] == self.LISTED

    def test_an_edit_by_somebody_else_is_not_written_over(self, app: App) -> None:
        """The machine is missing and a person is at work on it: the record says so."""
        key = app.renamed()

        def edited(step: Step) -> None:
            if isinstance(step, PutDeployment) and step.restores:
                app.world.edit(WEEKLY, "duration", "PT5H")

        app.hand.before = edited

        run = app.sweep()

        assert app.outcomes(run) == {key: "failed"}
        assert "step 2 of 2: properties.updateConfiguration.duration should be PT2H, and is PT5H" in app.reason(run)


class TestVerification:
    def test_of_what_is_still_found_says_ineffective(self, app: App) -> None:
        """An hour more was not enough."""
        key = app.late(needs=5 * HOUR)

        run = app.sweep()

        assert app.outcomes(run) == {key: "ineffective"}
        assert "still found: 2 of the last 2 runs exceeded the window of 3 h" in app.reason(run)

    def test_that_cannot_tell_is_repeated_until_it_can(self, app: App) -> None:
        key = app.renamed()

        run = app.plan()

        def outage(now: datetime) -> None:
            app.world.live(now)
            app.world.unreadable = {"machine-runs": "503"} if now < NOW + 3 * DAY + HOUR else {}

        app.clock.meanwhile = outage

        app.apply(run)

        assert app.outcomes(run) == {key: "remediated"}
        assert app.clock.now() == NOW + 3 * DAY + HOUR

    def test_that_never_can_tell_is_not_a_clean_bill(self, app: App) -> None:
        """The deployment is disabled, and so on: after two hours a person is asked."""
        key = app.renamed()

        def outage(name: str, _: Document) -> None:
            if name == "settle":
                app.world.unreadable = {"machine-runs": "503"}

        app.after = outage

        run = app.sweep()

        assert app.outcomes(run) == {key: "ineffective"}
        assert app.reason(run) == "applied, and could not be verified: 503"
        assert app.clock.now() == NOW + 3 * DAY + 30 * MINUTE + 2 * HOUR

    def test_with_a_state_that_was_switched_off_meanwhile_cannot_tell(self, app: App) -> None:
        """Nobody looks, so nobody finds: that is no proof of health."""
        key = app.late(needs=5 * HOUR)
        run = app.plan()
        with pytest.raises(TooLongToWait):
            self.applied_impatiently(app, run)
        app.set(modes={FailureState.MAINTENANCE_WINDOW_EXCEEDED: Mode.OFF})

        app.apply(run)

        assert app.outcomes(run) == {key: "ineffective"}
        assert "its mode is off" in app.reason(run)

    def test_is_taken_up_by_the_next_process_where_one_had_no_patience(self, app: App) -> None:
        key = app.late()
        run = app.plan()
        with pytest.raises(TooLongToWait):
            self.applied_impatiently(app, run)
        assert app.document(run)["status"] == "waiting"

        app.apply(run)

        assert app.outcomes(run) == {key: "remediated"}
        assert len(app.hand.writes) == 1

    @staticmethod
    def applied_impatiently(app: App, run: str) -> None:
        from engine.inline import drive
        from engine.process import apply

        drive(apply({"run": run, "attempt": "first"}), app.activities, app.clock, patience=HOUR)


class TestOtherRuns:
    def test_what_another_run_works_on_is_held(self, app: App) -> None:
        key = app.renamed()
        app.ledger.claim(f"lease:{WEEKLY}", "other-run", NOW, NOW + HOUR)

        run = app.sweep()

        assert app.outcomes(run) == {key: "held"}
        assert app.reason(run) == "run other-run is working on it"
        assert app.hand.asked == []

    def test_a_lease_that_could_not_be_had_leaves_none_behind(self, app: App) -> None:
        """Else what is not being worked on would be held for hours."""
        app.renamed()
        app.ledger.claim(f"lease:{a_machine('sql-01').id}", "other-run", NOW, NOW + HOUR)

        run = app.sweep()

        assert app.ledger.held_by(run, NOW) == set()

    def test_a_lease_that_has_run_out_holds_nothing(self, app: App) -> None:
        key = app.renamed()
        app.ledger.claim(f"lease:{WEEKLY}", "other-run", NOW - DAY, NOW)

        assert app.outcomes(app.sweep()) == {key: "remediated"}

    @pytest.mark.parametrize(
        ("ago", "outcome"), [(59 * MINUTE, "held"), (HOUR, "remediated"), (30 * DAY, "remediated")]
    )
    def test_what_another_run_treated_lately_cools_down(self, app: App, ago: timedelta, outcome: str) -> None:
        key = app.unregistered()
        app.sweep()
        app.clock.sleep_until(app.clock.now() - app.clock.now() + NOW + ago)
        app.unregistered()

        assert app.outcomes(app.sweep()) == {key: outcome}

    def test_looking_ends_no_cool_down(self, app: App) -> None:
        """A second try of the same run is held by a belt; another run still has to wait."""
        app.unregistered()
        app.hand.trouble = {0: [StepFailed(reason="no")]}
        first = app.plan()
        app.apply(first)
        app.set(modes={})
        app.apply(first)
        app.set()

        second = app.sweep()

        assert "cool-down" in app.reason(second)

    def test_a_failure_cools_down_too(self, app: App) -> None:
        app.unregistered()
        app.hand.trouble = {0: [StepFailed(reason="no")]}
        app.sweep()

        assert list(app.outcomes(app.sweep()).values()) == ["held"]


class TestTwoFindingsOnOneDeployment:
    def test_our_own_hand_does_not_make_the_second_plan_stale(self, app: App) -> None:
        """Both plans were made from the body before either edit."""
        keys = app.all_renamed(["sql-01", "sql-02"])

        run = app.sweep()

        assert app.outcomes(run) == dict.fromkeys(keys, "remediated")
        assert app.hand.writes == [
            "Weekly: sql-02 web-01, PT2H",
            "Weekly: sql-01 sql-02 web-01, PT2H",
            "Weekly: sql-01 web-01, PT2H",
            "Weekly: sql-01 sql-02 web-01, PT2H",
        ]

    def test_a_saved_plan_of_both_is_applied_as_a_whole(self, app: App) -> None:
        keys = app.all_renamed(["sql-01", "sql-02", "sql-03"])
        run = app.plan()

        app.apply(run)

        assert app.outcomes(run) == dict.fromkeys(keys, "remediated")

    @pytest.mark.parametrize(("name", "value"), [("duration", "PT5H"), ("nonAzureComputerNames", ["onprem-01"])])
    def test_somebody_else_s_edit_in_between_stops_the_second(self, app: App, name: str, value: Any) -> None:
        one, two = app.all_renamed(["sql-01", "sql-02"])

        def edited(activity: str, given: Document) -> None:
            if activity == "settle" and given["finding"] == one:
                app.world.edit(WEEKLY, name, value)

        app.after = edited

        run = app.sweep()

        assert app.outcomes(run)[two] == "stale"
        (reason,) = [o["reason"] for o in app.document(run)["outcomes"] if o["finding"] == two]
        assert name in reason
        assert len(app.hand.writes) == 2


class TestUnknown:
    def test_what_could_not_be_read_is_unknown_and_named(self, app: App) -> None:
        app.unregistered()
        app.renamed()
        app.world.unreadable = {"machine-runs": "GET: 429"}

        run = app.sweep()

        document = app.document(run)
        assert [f["state"] for f in document["findings"]] == ["automation-rp-not-registered"]
        relying = {d.finds.value for d in DETECTORS if Reading.MACHINE_RUNS in d.reads}
        assert relying == {u["state"] for u in document["unknown"] if u["missing"] == "GET: 429"}
        assert document["facts"]["partial"] == ["GET: 429"]
        assert list(app.outcomes(run).values()) == ["remediated"]

    def test_a_detector_that_stumbles_hides_no_other(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        key = app.unregistered()

        def stumble(*_: object) -> Iterator[Detection]:
            raise KeyError("a field that Azure left out")
            yield

        monkeypatch.setattr("detectors.cloned_machine.ClonedMachine.detect", stumble)

        run = app.sweep()

        assert app.outcomes(run) == {key: "remediated"}
        (gap,) = [u for u in app.document(run)["unknown"] if u["state"] == "cloned-machine"]
        assert gap["target"] == ""
        assert "a field that Azure left out" in gap["missing"]

    def test_a_clone_is_not_called_a_machine_that_changed_its_identity(self, app: App) -> None:
        """Clones take turns under one identity; to re-add them would help nobody."""
        app.renamed("sql-01")
        twin = a_machine("twin-01")
        app.world.machines[twin.id] = twin
        app.world.becomes(twin.id, "new-sql-01", NOW - 5 * DAY)

        document = app.document(app.plan())

        assert {f["state"] for f in document["findings"]} == {"cloned-machine"}
        assert ("source-id-changed", a_machine("sql-01").id) in {(u["state"], u["target"]) for u in document["unknown"]}


def test_a_stale_step_before_any_change_is_a_stale_plan(app: App) -> None:
    """The writer looks once more than the engine: what it sees then stops the plan as well."""
    key = app.unregistered()
    app.hand.trouble = {0: [StepStale(field="registrationState", planned="NotRegistered", found="Unregistered")]}

    run = app.sweep()

    assert app.outcomes(run) == {key: "stale"}
    assert app.reason(run) == "step 1 of 1: registrationState should be NotRegistered, and is Unregistered"


def test_an_unknown_run_has_no_document(app: App) -> None:
    assert app.engine.document("never-was") is None


def test_scripts_are_sent_under_the_writer_s_hand_only(app: App) -> None:
    """A plan with a script is a plan: nothing is sent while it is only shown."""
    app.clones("clone-01", "clone-02")
    run = app.plan()

    kinds = [step["kind"] for plan in app.document(run)["plans"] for step in plan["steps"]]
    assert kinds == ["run-script", "await-identity"] * 2
    assert app.hand.scripts == {}
    assert SUBSCRIPTION in app.world.registrations
    assert RunScript.__name__ not in {kind for _, kind in app.hand.asked}
