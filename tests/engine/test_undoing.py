"""Undoing a run: back to what was recorded, and only where the world is what the run left."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.inline import TooLongToWait, drive
from engine.journal import Line
from engine.ports import StepFailed
from engine.process import apply, undo
from engine.requests import InvalidRequest
from engine.undo_plans import is_as_it_was
from engine.undoing import CannotUndo, NoSuchRun, UndoRequest
from engine.wire import to_json
from model.deployments import body_to_put, with_start
from model.documents import Document, at, list_at, text_at
from model.plans import PutDeployment, Treatment
from model.states import FailureState, Mode
from tests.builders import DAY, MINUTE, a_machine_run, a_run, update_deployment
from tests.engine.conftest import App
from tests.engine.fakes import Crash

MONTHLY = update_deployment("Monthly").lower()
WEEKLY = update_deployment("Weekly").lower()


def undone(
    app: App,
    run: str,
    *,
    findings: Sequence[str] | None = None,
    dry_run: bool = False,
    patience: timedelta | None = None,
) -> str:
    """Undo a run to its end; answers the run that has undone it."""
    app.started += 1
    request = UndoRequest(
        run=f"undo-{app.started}",
        undoes=run,
        trigger="cli",
        dry_run=dry_run,
        findings=None if findings is None else tuple(findings),
        by="somebody",
    )
    accepted = app.engine.undoing.accept(request)
    if accepted == request.run:
        drive(undo(request.document), app.activities, app.clock, patience)
    return accepted


def body(app: App, id_: str = MONTHLY) -> Document:
    return copy.deepcopy(app.world.bodies[id_])


def same(app: App, original: Document, id_: str = MONTHLY) -> bool:
    """A deployment is what it was, but for the start of its schedule, which Azure takes in the future only."""
    step = PutDeployment(deployment=id_, before={}, after={})
    return is_as_it_was(step, original, app.world.bodies[id_])


def a_later_edit(app: App, run: str, key: str, *, duration: str) -> str:
    """As if the run had treated another finding afterwards, by another edit of the same deployment; answers its key."""
    (treatment,) = app.engine.journal.saved(run).values()
    before = body(app)
    after = with_start(body_to_put(before), text_at(before, "properties.scheduleInfo.nextRun"))
    configuration = at(after, "properties.updateConfiguration")
    assert isinstance(configuration, dict)
    configuration["duration"] = duration
    finding = replace(treatment.plan.finding, target=f"{MONTHLY}/another")
    plan = replace(
        treatment.plan, finding=finding, steps=(PutDeployment(deployment=MONTHLY, before=before, after=after),)
    )
    line = Line(f"plan:{finding.key}", "plan", to_json(Treatment(id="2", plan=plan)), finding.key)
    app.engine.journal.record(run, line)
    assert app.activities["step"]({"run": run, "attempt": run, "finding": finding.key, "index": 0}) == {}
    app.activities["settle"]({"run": run, "attempt": run, "finding": finding.key})
    app.engine.activities["close"]({"run": run})
    return finding.key


def plan_of(app: App, run: str) -> dict[str, Any]:
    (plan,) = app.document(run)["plans"]
    assert isinstance(plan, dict)
    return plan


class TestUndoing:
    def test_puts_a_deployment_back_to_what_it_was(self, app: App) -> None:
        """One PUT; the record of both runs says `undone`, and names the other run."""
        key, original = app.late(), body(app)
        run = app.sweep()
        assert not same(app, original)

        back = undone(app, run)

        assert same(app, original)
        assert app.outcomes(back) == {key: "undone"}
        assert app.outcomes(run) == {key: "undone"}
        assert back in app.reason(run)
        assert app.document(back)["undoes"] == run
        assert app.document(back)["status"] == "completed"

    def test_is_shown_first_and_a_dry_run_changes_nothing(self, app: App) -> None:
        """A plan like any other: steps, a difference, a verdict; nothing is asked of the hand that writes."""
        app.late()
        run = app.sweep()
        written, asked = list(app.hand.writes), list(app.hand.asked)

        shown = undone(app, run, dry_run=True)

        plan = plan_of(app, shown)
        assert plan["verdict"]["kind"] == "allow"
        assert [step["kind"] for step in plan["steps"]] == ["put-deployment"]
        fields = {change["field"]: change["after"] for change in plan["steps"][0]["diff"]}
        assert fields["properties.updateConfiguration.duration"] == "PT2H"
        assert (app.document(shown)["mode"], set(app.outcomes(shown).values())) == ("dry-run", {"observed"})
        assert (app.hand.writes, app.hand.asked) == (written, asked)

    def test_that_was_shown_is_applied_like_every_saved_plan(self, app: App) -> None:
        key, original = app.late(), body(app)
        run = app.sweep()
        shown = undone(app, run, dry_run=True)

        app.apply(shown)

        assert same(app, original)
        assert app.outcomes(shown) == app.outcomes(run) == {key: "undone"}

    def test_works_while_the_verification_is_open_and_ends_it(self, app: App) -> None:
        """The run waits for a deployment's next run; once it is undone there is nothing left to verify."""
        key, original = app.late(), body(app)
        with pytest.raises(TooLongToWait):
            app.sweep(patience=MINUTE * 10)
        run = f"run-{app.started}"
        assert app.document(run)["status"] == "waiting"

        undone(app, run)

        assert same(app, original)
        written = list(app.hand.writes)
        app.clock.sleep_until(app.clock.now() + 30 * DAY)
        app.apply(run)
        assert app.hand.writes == written
        assert (app.outcomes(run), app.document(run)["status"]) == ({key: "undone"}, "completed")

    def test_works_after_an_inconclusive_verification(self, app: App) -> None:
        key, original = app.late(), body(app)
        app.after = lambda name, _: app.world.unreadable.update({"runs": "429"}) if name == "settle" else None
        run = app.sweep()
        assert app.outcomes(run) == {key: "ineffective"}
        assert "could not be verified" in app.reason(run)
        app.world.unreadable.clear()
        app.after = lambda _name, _given: None

        undone(app, run)

        assert same(app, original)
        assert app.outcomes(run) == {key: "undone"}

    def test_does_only_what_was_done_the_last_thing_first(self, app: App) -> None:
        """Two deployments; the run failed at the second: only the first one is put back."""
        first, second = app.late("Early"), app.late("Later")
        early, later = update_deployment("Early").lower(), update_deployment("Later").lower()
        originals = {id_: body(app, id_) for id_ in (early, later)}
        app.hand.trouble = {1: [StepFailed(reason="400 BadRequest")]}
        run = app.sweep(states=[FailureState.MAINTENANCE_WINDOW_EXCEEDED])
        assert sorted(app.outcomes(run).values()) == ["failed", "remediated"]
        written = len(app.hand.writes)

        back = undone(app, run)

        assert len(app.hand.writes) == written + 1
        assert all(same(app, originals[id_], id_) for id_ in originals)
        assert app.outcomes(back) == {first: "undone", second: "undone"}

    def test_goes_backwards_where_two_treatments_changed_one_deployment(self, app: App) -> None:
        """The later one first: what it finds is what it left, and what it leaves is what the earlier one left."""
        key, original = app.late(), body(app)
        run = app.sweep()
        later = a_later_edit(app, run, key, duration="PT5H")
        assert not same(app, original)

        back = undone(app, run)

        assert app.outcomes(back) == {key: "undone", later: "undone"}
        assert same(app, original)
        assert [text.rpartition(", ")[2] for text in app.hand.writes[-2:]] == ["PT3H", "PT2H"]

    def test_may_be_for_some_findings_only(self, app: App) -> None:
        first, second = app.late("Early"), app.late("Later")
        early, later = update_deployment("Early").lower(), update_deployment("Later").lower()
        before, after = body(app, early), body(app, later)
        run = app.sweep(states=[FailureState.MAINTENANCE_WINDOW_EXCEEDED])

        undone(app, run, findings=[first])

        assert same(app, before, early)
        assert not same(app, after, later)
        assert app.outcomes(run) == {first: "undone", second: "remediated"}

        undone(app, run)

        assert same(app, after, later)
        assert app.outcomes(run) == {first: "undone", second: "undone"}

    def test_of_a_machine_that_was_readded_leaves_the_deployment_as_it_was(self, app: App) -> None:
        """Taking it out and putting it back is two edits of one deployment, and nothing is left of them."""
        key, original = app.renamed(), body(app, WEEKLY)
        run = app.sweep()
        written = list(app.hand.writes)

        back = undone(app, run)

        assert app.hand.writes == written
        assert same(app, original, WEEKLY)
        assert app.outcomes(back) == app.outcomes(run) == {key: "undone"}

    def test_of_which_nothing_is_left_waits_for_no_update_run(self, app: App) -> None:
        key = app.renamed()
        run = app.sweep()
        (machine,) = (one for one in app.world.machines.values() if one.name == "sql-01")
        app.world.runs.append(a_run("night", of="Nightly", status="InProgress"))
        app.world.machine_runs.append(a_machine_run(machine, run="night", of="Nightly", status="InProgress"))

        seen = app.document(undone(app, run, dry_run=True))
        assert [plan["verdict"]["kind"] for plan in seen["plans"]] == ["allow"]
        back = undone(app, run)

        assert app.outcomes(back) == app.outcomes(run) == {key: "undone"}

    def test_of_a_half_done_readding_puts_the_machine_back(self, app: App) -> None:
        """The second save never held: the machine is out of its deployment, and undoing brings it back."""
        app.renamed()
        original = body(app, WEEKLY)
        app.hand.trouble = {1: [StepFailed(reason="400 BadRequest")]}
        run = app.sweep()
        assert len(list_at(app.world.bodies[WEEKLY], "properties.updateConfiguration.azureVirtualMachines")) == 1

        undone(app, run)

        assert same(app, original, WEEKLY)

    def test_finds_out_whether_a_write_happened_whose_answer_was_lost(self, app: App) -> None:
        """The process dies after the write and before the record: the deployment itself tells what was done."""
        app.late()
        original = body(app)
        app.hand.lost = {0}
        with pytest.raises(Crash):
            app.sweep()
        run = f"run-{app.started}"
        app.engine.fail(run, "the process broke")
        assert not same(app, original)
        app.ledger.claims.clear()

        undone(app, run)

        assert same(app, original)

    def test_sends_the_script_that_undoes_with_what_the_script_reported(self, app: App) -> None:
        app.clones("one", "two")
        run = app.sweep()
        keyed = [plan["finding"] for plan in app.document(run)["plans"]]
        assert keyed

        shown = undone(app, run, dry_run=True)

        for plan in app.document(shown)["plans"]:
            scripts = [step for step in plan["steps"] if step["kind"] == "run-script"]
            assert [step["script"] for step in scripts] == ["windows/restore-worker-key.ps1"]
            assert scripts[0]["parameters"]["Sha256"] == "00"

    def test_is_not_believed_before_what_is_there_has_been_compared(self, app: App) -> None:
        """Somebody, or Azure itself, made something else of it after the write: the field is named."""
        key = app.late()
        run = app.sweep()
        app.after = lambda name, _: app.world.edit(MONTHLY, "duration", "PT5H") if name == "settle" else None

        back = undone(app, run)

        assert app.outcomes(back) == {key: "ineffective"}
        assert "properties.updateConfiguration.duration should be PT2H again, and is PT5H" in app.reason(back)
        assert app.outcomes(run) == {key: "remediated"}

    def test_of_a_script_is_done_when_the_script_says_so(self, app: App) -> None:
        """The fake machine answers `reset` to every script, which is not what a script that restores says."""
        app.clones("one", "two")
        run = app.sweep()

        back = undone(app, run)

        words = {word for key, word in app.outcomes(back).items()}
        assert words == {"ineffective"}
        assert "outcome should be restored again, and is reset" in str(app.document(back)["outcomes"])

    def test_says_what_cannot_be_undone(self, app: App) -> None:
        """In the plan of the repair, before anything is done; and again when it is asked for."""
        key = app.unregistered()
        run = app.sweep()
        assert plan_of(app, run)["steps"][0]["undo"].startswith("cannot be undone")
        written = list(app.hand.writes)

        back = undone(app, run)

        assert app.outcomes(back) == {key: "declined"}
        assert "stays registered" in app.reason(back)
        assert app.outcomes(run) == {key: "remediated"}
        assert app.hand.writes == written


class TestTheWorldHasMovedOn:
    def test_the_undo_is_refused_and_names_the_field(self, app: App) -> None:
        key = app.late()
        run = app.sweep()
        app.world.edit(MONTHLY, "duration", "PT5H")
        edited, written = body(app), list(app.hand.writes)

        back = undone(app, run)

        assert app.outcomes(back) == {key: "refused"}
        assert "moved-on: properties.updateConfiguration.duration of monthly was" in app.reason(back)
        assert "PT5H" in app.reason(back)
        assert (body(app), app.hand.writes) == (edited, written)
        assert app.outcomes(run) == {key: "remediated"}

    def test_between_plan_and_second_look(self, app: App) -> None:
        key = app.late()
        run = app.sweep()
        app.after = lambda name, _: app.world.edit(MONTHLY, "duration", "PT5H") if name == "open_undo" else None
        written = list(app.hand.writes)

        back = undone(app, run)

        assert app.outcomes(back) == {key: "refused"}
        assert app.hand.writes == written

    def test_by_somebody_who_saved_the_same_again(self, app: App) -> None:
        """Somebody is at work on it."""
        key = app.late()
        run = app.sweep()
        written = list(app.hand.writes)

        def saved_again(name: str, _: Document) -> None:
            if name == "open_undo":
                app.clock.sleep_until(app.clock.now() + MINUTE)
                app.world.touch(MONTHLY)

        app.after = saved_again

        back = undone(app, run)

        assert app.outcomes(back) == {key: "stale"}
        assert "lastModifiedTime" in app.reason(back)
        assert app.hand.writes == written

    def test_right_before_the_write(self, app: App) -> None:
        key = app.late()
        run = app.sweep()
        written = list(app.hand.writes)
        app.hand.before = lambda _: app.world.edit(MONTHLY, "duration", "PT5H")

        back = undone(app, run)

        assert app.outcomes(back) == {key: "stale"}
        assert app.hand.writes == written

    def test_and_the_deployment_is_gone(self, app: App) -> None:
        key = app.late()
        run = app.sweep()
        del app.world.bodies[MONTHLY]

        back = undone(app, run)

        assert app.outcomes(back) == {key: "refused"}
        assert "does not exist any more" in app.reason(back)

    def test_or_could_not_be_read(self, app: App) -> None:
        """What cannot be told holds."""
        key = app.late()
        run = app.sweep()
        app.world.unreadable[MONTHLY] = "429"

        back = undone(app, run)

        assert app.outcomes(back) == {key: "held"}


class TestBadInput:
    def test_an_unknown_run(self, app: App) -> None:
        with pytest.raises(NoSuchRun):
            undone(app, "run-nobody-knows")

    def test_a_run_that_changed_nothing(self, app: App) -> None:
        app.late()
        run = app.plan()

        with pytest.raises(CannotUndo, match="changed nothing"):
            undone(app, run)

    def test_an_undo(self, app: App) -> None:
        app.late()
        run = app.sweep()
        back = undone(app, run)
        written = list(app.hand.writes)

        with pytest.raises(CannotUndo, match="an undo is not undone"):
            undone(app, back)

        assert app.hand.writes == written

    def test_a_finding_that_the_run_did_nothing_about(self, app: App) -> None:
        key = app.late()
        run = app.sweep()

        with pytest.raises(InvalidRequest) as raised:
            undone(app, run, findings=[key, "vm-stopped:/subscriptions/x"])

        assert raised.value.field == "findings[1]"

    def test_a_run_that_is_under_way(self, app: App) -> None:
        app.late()
        run = app.sweep()
        app.engine.reopen(run)

        with pytest.raises(CannotUndo, match="under way"):
            undone(app, run)

    def test_twice_is_once(self, app: App) -> None:
        """The second time answers the run that did it, and changes nothing."""
        app.late()
        run = app.sweep()
        back = undone(app, run)
        written = list(app.hand.writes)

        assert undone(app, run) == back
        assert app.hand.writes == written

    def test_at_the_same_time_one_is_taken(self, app: App) -> None:
        key = app.late()
        run = app.sweep()
        app.engine.undoing.accept(UndoRequest(run="undo-a", undoes=run, trigger="http", dry_run=False))

        with pytest.raises(CannotUndo, match="already, by undo-a"):
            undone(app, run)
        assert app.outcomes(run) == {key: "remediated"}

    def test_a_locked_app_undoes_nothing(self, app: App) -> None:
        """It shows the plan; nothing more."""
        app.late()
        run = app.sweep()
        app.set(dry_run=True)
        written = list(app.hand.writes)

        back = undone(app, run)

        assert app.document(back)["mode"] == "dry-run"
        assert set(app.outcomes(back).values()) == {"observed"}
        assert app.hand.writes == written


class TestBelts:
    def test_a_pause_holds_an_undo_like_every_change(self, app: App) -> None:
        """It is queued, and goes on once a person says so."""
        key, original = app.late(), body(app)
        run = app.sweep()
        written = list(app.hand.writes)
        app.engine.switch.pause(FailureState.MAINTENANCE_WINDOW_EXCEEDED, by="bea", reason="")

        back = undone(app, run)

        assert app.outcomes(back) == {key: "held"}
        assert app.hand.writes == written
        app.engine.switch.resume(FailureState.MAINTENANCE_WINDOW_EXCEEDED, by="bea", reason="")
        app.apply(back)
        assert same(app, original)
        assert app.outcomes(run) == {key: "undone"}

    def test_a_state_that_is_only_observed_again_can_still_be_undone(self, app: App) -> None:
        """Whoever takes a state back to observing after a bad night wants the night undone."""
        app.late()
        original = body(app)
        run = app.sweep()
        app.set(modes=dict.fromkeys(FailureState, Mode.OBSERVE), max_machines=0)

        undone(app, run)

        assert same(app, original)

    def test_an_excluded_machine_is_not_touched(self, app: App) -> None:
        key = app.late()
        run = app.sweep()
        app.set(subscriptions=("00000000-0000-0000-0000-000000000001",))

        back = undone(app, run)

        assert app.outcomes(back)[key] in {"refused", "undone"}


@settings(max_examples=25, deadline=None)
@given(
    unknown=st.dictionaries(
        st.from_regex(r"[a-z]{3,8}X", fullmatch=True),
        st.one_of(
            st.text("abc", min_size=1, max_size=5),
            st.integers(0, 9),
            st.lists(st.text("ab", min_size=1), min_size=1, max_size=3),
        ),
        max_size=4,
    )
)
def test_what_is_undone_equals_the_original_with_all_that_nobody_knows(unknown: Document) -> None:
    """Properties that this version has never heard of come back as they were."""
    app = App()
    app.late()
    for name, value in unknown.items():
        app.world.set(MONTHLY, "updateConfiguration", name, value)
    original = body(app)
    run = app.sweep()

    undone(app, run)

    now = app.world.bodies[MONTHLY]
    assert at(now, "properties.updateConfiguration") == at(original, "properties.updateConfiguration")
    assert at(now, "properties.tasks") == at(original, "properties.tasks")


@pytest.mark.parametrize("crash_before", [True, False])
def test_a_crash_at_any_line_of_the_record_is_made_good(*, crash_before: bool) -> None:
    """Whatever was delivered is delivered again: one write, and both records say `undone`."""
    at_line = 0
    while True:
        app = App()
        key, original = app.late(), body(app)
        run = app.sweep()
        written = len(app.hand.writes)
        request = UndoRequest(run="undo-1", undoes=run, trigger="cli", dry_run=False)
        app.engine.undoing.accept(request)
        app.ledger.crash_at, app.ledger.crash_before = app.ledger.appends + at_line, crash_before
        died = False
        for process in (
            undo(request.document),
            undo(request.document),
            apply({"run": "undo-1", "attempt": "undo-1-apply", "by": ""}),
        ):
            try:
                drive(process, app.activities, app.clock)
                break
            except Crash:
                died = True
                app.ledger.crash_at = None
        assert same(app, original)
        assert len(app.hand.writes) == written + 1
        assert app.outcomes(run) == {key: "undone"}
        if not died:
            break
        at_line += 1
    assert at_line > 5
