"""The audit trail: every decision, with who made it, why, by which plan, and what Azure called the requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audit import KINDS, STEPS, audit, every_run, page, records
from engine.correlation import correlation_id
from engine.inline import drive
from engine.pausing import CONTROL
from engine.ports import Entry, StepFailed, StepStale
from engine.process import undo
from engine.undoing import UndoRequest
from engine.wire import UnreadableRecord, document_hash, from_json, to_json
from model.plans import Step, Treatment
from model.states import FailureState
from tests.builders import NOW
from tests.engine.conftest import App

Record = dict[str, Any]


def trail(app: App, run: str) -> list[Record]:
    return list(records(app.ledger, [run]))


def of(trail_: list[Record], decision: str) -> list[Record]:
    return [record for record in trail_ if record["decision"] == decision]


class TestEveryDecisionHasARecord:
    def test_what_was_done_with_the_plan_the_person_and_the_requests(self, app: App) -> None:
        key = app.late()
        run = app.plan()
        app.apply(run)

        told = trail(app, run)

        (acted,) = of(told, "acted")
        assert acted["finding"] == key
        assert acted["requestIds"] == ["request-0"]
        assert acted["actor"] == {"kind": "person", "name": "somebody"}
        assert acted["step"]["kind"] == "put-deployment"
        assert acted["step"]["changes"].lower().endswith("/softwareupdateconfigurations/monthly")
        (plan,) = app.ledger.entries(run, kinds=frozenset({"plan"}))
        assert acted["planHash"] == document_hash(plan.body["plan"])
        assert acted["correlationId"] == correlation_id(run)
        (ended,) = of(told, "remediated")
        assert (ended["planHash"], ended["reason"]) == (acted["planHash"], "not found any more")
        assert told[0]["decision"] == "started"

    def test_a_dry_run_that_a_timer_made(self, app: App) -> None:
        app.late()
        run = app.sweep(dry_run=True)

        (started,), (observed,) = of(trail(app, run), "started"), of(trail(app, run), "observed")

        assert started["actor"] == observed["actor"] == {"kind": "timer", "name": "SWEEP_SCHEDULE"}
        assert started["reason"] == "a dry run"

    def test_what_was_held_declined_or_could_not_be_told(self, app: App) -> None:
        app.late()
        app.clones("one", "two")
        app.set(modes={})
        app.world.unreadable["cloned-machine"] = "query cloned-machine: 429"
        run = app.sweep()

        told = trail(app, run)

        assert all(record["reason"].startswith("mode: ") for record in of(told, "held"))
        assert of(told, "held")
        assert any("429" in record["reason"] for record in of(told, "unknown"))
        assert all(record["reason"] for record in of(told, "declined"))

    @pytest.mark.parametrize(
        ("trouble", "word"),
        [
            (StepFailed(reason="400 BadRequest", request_ids=("refused-1",)), "failed"),
            (StepStale(field="properties.x", planned=1, found=2), "stale"),
        ],
    )
    def test_what_went_wrong(self, app: App, trouble: StepFailed | StepStale, word: str) -> None:
        app.late()
        app.hand.trouble = {0: [trouble]}
        run = app.sweep()

        told = trail(app, run)

        (ended,), (step,) = of(told, word), of(told, "not-acted")
        assert step["reason"] in ended["reason"]
        assert step["requestIds"] == (["refused-1"] if isinstance(trouble, StepFailed) else [])
        assert of(told, "acted") == []

    def test_what_was_undone_in_both_records(self, app: App) -> None:
        app.late()
        run = app.sweep()
        request = UndoRequest(run="undo-1", undoes=run, trigger="http", dry_run=False, by="bea@example.com")
        app.engine.undoing.accept(request)
        drive(undo(request.document), app.activities, app.clock)

        theirs, ours = trail(app, run), trail(app, "undo-1")

        (asked,) = of(theirs, "asked-to-undo")
        assert asked["actor"] == {"kind": "person", "name": "bea@example.com"}
        assert of(theirs, "undone")
        (started,) = of(ours, "started")
        assert started["reason"] == f"undoes run {run}; may act"
        (acted,) = of(ours, "acted")
        assert acted["correlationId"] != of(theirs, "acted")[0]["correlationId"]

    def test_a_record_of_another_version_hides_no_other(self, app: App) -> None:
        """The trail reads no plan as such: a damaged one is told of as far as it goes."""
        app.late()
        run = app.sweep()
        (entry,) = app.ledger.entries(run, kinds=frozenset({"plan"}))
        app.ledger.lines[run, entry.id] = Entry(
            run=run, id=entry.id, kind="plan", at=entry.at, body={"plan": [], "new": 1}, about=entry.about
        )

        assert of(trail(app, run), "remediated")


def test_it_is_json_a_line_each(app: App) -> None:
    app.late()
    run = app.sweep()

    assert all("\n" not in json.dumps(record) for record in trail(app, run))


def test_the_app_s_own_record_is_part_of_it(app: App) -> None:
    app.engine.switch.pause(FailureState.MAINTENANCE_WINDOW_EXCEEDED, by="bea", reason="a\nbad night")

    told = list(records(app.ledger, every_run(app.ledger, control=CONTROL)))

    (paused,) = of(told, "paused")
    assert (paused["actor"]["name"], paused["state"]) == ("bea", "maintenance-window-exceeded")


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 7), max_size=5), limit=st.integers(1, 6))
def test_pages_have_every_record_once_and_in_order(sizes: list[int], limit: int) -> None:
    """However many there are in a run, and however small the page."""
    app = App()
    for number, size in enumerate(sizes):
        app.ledger.append(
            [
                Entry(run=f"run/{number}", id=str(n), kind="unknown", at=NOW, body={"missing": str(n)})
                for n in range(size)
            ]
        )
    runs = [CONTROL, *app.ledger.runs(100)]
    whole = list(records(app.ledger, runs))

    paged: list[Any] = []
    after: str | None = None
    for _ in range(100):
        one = page(app.ledger, iter(runs), after=after, limit=limit)
        found = one["records"]
        assert isinstance(found, list)
        assert len(found) <= limit
        paged += found
        after = one["next"]  # type: ignore[assignment]
        if after is None:
            break

    assert paged == whole


class TestAPlanThatSomebodyEdited:
    def test_is_refused_and_nothing_is_applied(self, app: App) -> None:
        """The ledger's line was changed by hand: its hash is another one."""
        app.late()
        run = app.plan()
        (entry,) = app.ledger.entries(run, kinds=frozenset({"plan"}))
        plan = entry.body["plan"]
        assert isinstance(plan, dict)
        plan["steps"][0]["after"]["properties"]["updateConfiguration"]["duration"] = "PT6H"  # type: ignore[index, call-overload]
        app.ledger.lines[run, entry.id] = entry

        with pytest.raises(UnreadableRecord, match="changed since"):
            app.apply(run)

        assert app.hand.writes == []

    def test_or_that_a_newer_version_wrote_says_so(self, app: App) -> None:
        app.late()
        run = app.plan()
        (entry,) = app.ledger.entries(run, kinds=frozenset({"plan"}))
        treatment = from_json(Treatment, entry.body)

        with pytest.raises(UnreadableRecord, match="extra fields"):
            from_json(Treatment, {**to_json(treatment), "novelty": True})


def test_every_kind_that_matters_is_read(app: App) -> None:
    """A line of another kind makes no record."""
    entry = Entry(run="r", id="x", kind="facts", at=NOW, body={})
    assert entry.kind not in KINDS
    assert list(audit([Entry(run="r", id="x", kind="step", at=NOW, body={"event": "began"})])) == []


def test_every_kind_of_step_has_its_name() -> None:
    """Those of the ledger are the classes'; the trail has the run document's."""
    assert set(STEPS) == {kind.__name__ for kind in Step.__value__.__args__}
