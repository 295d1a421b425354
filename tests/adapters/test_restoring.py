"""A machine that was taken out of its deployment comes back, however near the next run is and whatever Azure says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

import composition
from engine.engine import Engine
from engine.inline import drive
from engine.ports import Clock, StepDone, StepFailed, StepForbidden, StepPending, StepProgress, StepStale
from engine.process import PROCESSES
from engine.requests import SweepRequest
from engine.settings import Settings
from model.deployments import body_to_put, same_deployment
from model.documents import Document, Json, at, list_at
from model.facts import Reading
from model.plans import PutDeployment
from model.states import FailureState
from model.times import format_time, parse_time
from simulator.fleet import Fleet
from simulator.fleets import generate
from simulator.serve import Simulator, running
from tests.adapters.world import World, a_world
from tests.simulator.small_estate import ACCOUNT, NOW, SmallEstate, vm_id

DEPLOYMENT = f"{ACCOUNT}/softwareUpdateConfigurations/Nightly"
RUN = NOW + timedelta(hours=16)
MINUTE = timedelta(minutes=1)
MACHINES = "properties.updateConfiguration.azureVirtualMachines"
START = "properties.scheduleInfo.startTime"


class Switch:
    reason: str | None = None

    def __call__(self) -> str | None:
        return self.reason


@dataclass(frozen=True, kw_only=True)
class Case:
    """A deployment of which a machine has just been taken out, and the step that puts it back."""

    world: World
    switch: Switch
    out: PutDeployment
    back: PutDeployment

    def now(self) -> Document:
        """The deployment as it is."""
        facts = self.world.facts(Reading.DEPLOYMENTS)
        return self.world.estate.look_closer(facts, frozenset({DEPLOYMENT.lower()})).documents[DEPLOYMENT.lower()]

    def at(self, moment: datetime) -> StepProgress:
        """What beginning to put the machine back comes to at a time."""
        self.world.clock.sleep_until(moment)
        return self.world.writer.begin(self.back, "back", {DEPLOYMENT.lower(): self.out.after})

    def finished(self, progress: StepProgress, step: PutDeployment | None = None) -> StepProgress:
        """What a step that was begun comes to; putting back unless another is named."""
        while isinstance(progress, StepPending):
            self.world.clock.sleep_until(self.world.clock.now() + progress.look_again)
            progress = self.world.writer.check(step or self.back, "step", progress.token)
        return progress

    def saved(self, step: PutDeployment) -> StepProgress:
        """What another step comes to when it is begun now."""
        return self.finished(self.world.writer.begin(step, "other", {}), step)

    def is_back(self) -> bool:
        return vm_id("web-01") in list_at(self.now(), MACHINES)


def taken_out(world: World, switch: Switch) -> Case:
    facts = world.facts(Reading.DEPLOYMENTS)
    before = world.estate.look_closer(facts, frozenset({DEPLOYMENT.lower()})).documents[DEPLOYMENT.lower()]
    with_all = body_to_put(before)
    cast("dict[str, Document]", with_all["properties"])["scheduleInfo"]["startTime"] = at(
        before, "properties.scheduleInfo.nextRun"
    )
    without = copy.deepcopy(with_all)
    cast("dict[str, Document]", without["properties"])["updateConfiguration"]["azureVirtualMachines"] = [
        vm_id("web-02")
    ]
    case = Case(
        world=world,
        switch=switch,
        out=PutDeployment(deployment=DEPLOYMENT, before=before, after=without),
        back=PutDeployment(deployment=DEPLOYMENT, before=without, after=with_all, restores=True),
    )
    assert isinstance(case.saved(case.out), StepDone)
    assert not case.is_back()
    return case


def an_estate(**schedule: Json) -> Fleet:
    """Two machines that a deployment patches every evening."""
    never = "9999-12-31T23:59:59.9999999+00:00"
    start: Any = {"startTime": format_time(RUN), "frequency": "Day", "expiryTime": never, **schedule}
    estate = SmallEstate().vm("web-01").vm("web-02").deployment("Nightly", "web-01", "web-02", **start)
    cast("Document", estate.documents[-1]["properties"])["provisioningState"] = "Succeeded"
    return estate.fleet()


@pytest.fixture
def case() -> Iterator[Case]:
    switch = Switch()
    with a_world(an_estate(), may_write=switch) as world:
        yield taken_out(world, switch)


def test_a_machine_is_put_back_as_planned_while_there_is_time(case: Case) -> None:
    done = case.finished(case.at(RUN - 11 * MINUTE))
    assert isinstance(done, StepDone)
    assert done.result == {}
    assert case.is_back()
    assert same_deployment(case.back.after, case.now()) is None


def test_a_machine_that_azure_would_not_take_back_is_put_back_after_the_run(case: Case) -> None:
    """Refused until it is too late for the planned start: the start then moves to the run after, and says so."""
    case.world.azure.order({"kind": "error", "status": 400, "method": "PUT", "code": "BadRequest"})
    for before_run in (120, 30, 10):
        refused = case.at(RUN - before_run * MINUTE)
        assert isinstance(refused, StepFailed)
        assert refused.retry
        assert "400 BadRequest" in refused.reason
    asked = len(case.world.writes())
    for before_run in (9, 1, 0):
        waiting = case.at(RUN - before_run * MINUTE - timedelta(seconds=1))
        assert isinstance(waiting, StepFailed)
        assert waiting.retry
        assert "waiting for the run to pass" in waiting.reason
    assert len(case.world.writes()) == asked
    assert not case.is_back()

    assert isinstance(case.at(RUN + MINUTE), StepFailed)
    case.world.azure.clear_faults()
    done = case.finished(case.at(RUN + 2 * MINUTE))

    assert isinstance(done, StepDone)
    assert parse_time(done.result["startMovedTo"]) == RUN + timedelta(days=1)
    assert len(done.request_ids) == 1
    assert case.is_back()
    assert parse_time(at(case.now(), START)) == RUN + timedelta(days=1)
    moved = copy.deepcopy(case.back.after)
    cast("dict[str, Document]", moved["properties"])["scheduleInfo"]["startTime"] = done.result["startMovedTo"]
    assert same_deployment(moved, case.now()) is None


def test_a_moved_start_is_told_on_the_clock_of_the_deployment_across_a_change_of_the_clocks() -> None:
    """Berlin changes to summer time on 29 March 2026: a run at 22:00 stays at 22:00, an hour earlier in UTC."""
    berlin, switch = ZoneInfo("Europe/Berlin"), Switch()
    run = datetime(2026, 3, 28, 22, tzinfo=berlin)
    estate = an_estate(startTime=run.isoformat(), timeZone="Europe/Berlin")
    with a_world(estate, may_write=switch) as world:
        case = taken_out(world, switch)
        done = case.finished(case.at(run + MINUTE))
        assert isinstance(done, StepDone)
        assert done.result == {"startMovedTo": "2026-03-29T22:00:00+02:00"}
        assert case.is_back()


def test_a_save_with_a_moved_start_whose_answer_was_lost_is_found_and_not_repeated(case: Case) -> None:
    case.world.azure.order({"kind": "reset", "method": "PUT", "after": True})
    lost = case.at(RUN + MINUTE)
    assert isinstance(lost, StepFailed)
    assert lost.retry
    case.world.azure.clear_faults()
    writes = len(case.world.writes())
    done = case.finished(case.at(RUN + 3 * MINUTE))
    assert isinstance(done, StepDone)
    assert parse_time(done.result["startMovedTo"]) == RUN + timedelta(days=1)
    assert case.finished(case.at(RUN + 4 * MINUTE)) == done
    assert len(case.world.writes()) == writes


def test_what_was_never_taken_out_need_not_be_put_back(case: Case) -> None:
    """The first save's answer was lost, and it did not happen: the deployment is as it was before it."""
    again = PutDeployment(deployment=DEPLOYMENT, before=case.out.after, after=case.out.before)
    case.world.clock.sleep_until(NOW + MINUTE)
    assert isinstance(case.saved(again), StepDone)
    writes = len(case.world.writes())
    assert isinstance(case.saved(case.back), StepDone)
    assert len(case.world.writes()) == writes
    assert case.is_back()


def test_putting_back_overrules_nobody(case: Case) -> None:
    """Somebody has edited the deployment meanwhile: a person has to look, and no waiting changes that."""
    edited = copy.deepcopy(case.out.after)
    cast("dict[str, Document]", edited["properties"])["updateConfiguration"]["duration"] = "PT3H"
    theirs = PutDeployment(deployment=DEPLOYMENT, before=case.out.after, after=edited)
    assert isinstance(case.saved(theirs), StepDone)
    stale = case.at(RUN + MINUTE)
    assert isinstance(stale, StepStale)
    assert stale.field == "properties.updateConfiguration.duration"


def test_a_pause_delays_putting_back_and_does_not_end_it(case: Case) -> None:
    writes = len(case.world.writes())
    case.switch.reason = "the kill switch is on"
    assert case.at(NOW + MINUTE) == StepForbidden(reason="the kill switch is on")
    assert len(case.world.writes()) == writes
    case.switch.reason = None
    assert isinstance(case.finished(case.at(NOW + 2 * MINUTE)), StepDone)
    assert case.is_back()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 429, 500, 503])
def test_every_refusal_that_time_can_mend_is_waited_out(case: Case, status: int) -> None:
    case.world.azure.order({"kind": "error", "status": status, "method": "PUT"})
    refused = case.at(NOW + MINUTE)
    # What is not there cannot be put back: that is for a person.
    assert isinstance(refused, StepStale) if status == 404 else isinstance(refused, StepFailed) and refused.retry
    case.world.azure.clear_faults()
    assert isinstance(case.finished(case.at(NOW + 2 * MINUTE)), StepDone)
    assert case.is_back()


def test_a_deployment_that_ran_once_cannot_be_started_anew() -> None:
    """There is no later run to move to; time does not bring one."""
    switch = Switch()
    with a_world(an_estate(frequency="OneTime", interval=None, expiryTime=format_time(RUN)), may_write=switch) as world:
        case = taken_out(world, switch)
        early = case.at(RUN - MINUTE)
        assert isinstance(early, StepFailed)
        assert early.retry
        late = case.at(RUN + MINUTE)
        assert isinstance(late, StepFailed)
        assert not late.retry
        assert "only run" in late.reason


def test_a_step_that_restores_nothing_does_not_move_its_start(case: Case) -> None:
    plain = PutDeployment(deployment=DEPLOYMENT, before=case.out.after, after=case.back.after)
    case.world.clock.sleep_until(RUN + MINUTE)
    failed = case.world.writer.begin(plain, "plain", {DEPLOYMENT.lower(): case.out.after})
    assert isinstance(failed, StepFailed)
    assert not failed.retry
    assert "less than 10 minutes ahead" in failed.reason


class UntilTheRun:
    """The simulated clock; when it passes a time, Azure's refusals end."""

    def __init__(self, azure: Simulator, clock: Clock, run: datetime) -> None:
        self.azure, self.clock, self.run = azure, clock, run

    def now(self) -> datetime:
        return self.clock.now()

    def sleep_until(self, due: datetime) -> None:
        self.clock.sleep_until(due)
        if self.clock.now() > self.run:
            self.azure.clear_faults()


def test_a_whole_run_puts_the_machine_back_after_the_night_that_it_missed(tmp_path: Path) -> None:
    """
    Azure takes the machine out of its deployment, and refuses to take it back until the night's run is over. The run
    keeps at it and brings it back with the start moved to the run after; that one shows that it is healed.
    """
    with running(generate(60, 3)) as azure:
        run_at = datetime.fromisoformat("2026-03-15T23:00:00+00:00")
        azure.advance_to(run_at - timedelta(hours=12))
        environment = {
            **azure.settings,
            "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'ledger.sqlite'}",
            "PATCHWRIGHT_MODES": '{"source-id-changed": "act"}',
            "PATCHWRIGHT_OPT_IN": "readd-machine",
            "PATCHWRIGHT_STORM_PERCENT": "100",
            "DRY_RUN": "false",
        }
        engine = composition.build(Settings.from_env(environment))
        (target,) = [f for f in ailing(engine, "before") if f.endswith("/file-01")]
        path = "softwareUpdateConfigurations/Weekly-Windows-02"
        azure.order({"kind": "error", "status": 400, "method": "PUT", "path": path, "nth": [*range(2, 100)]})

        request = SweepRequest(run="real", trigger="cli", dry_run=False, machines=(target,))
        engine.accept(request)
        drive(PROCESSES["sweep"](request.document), engine.activities, UntilTheRun(azure, engine.clock, run_at))

        told = engine.document("real")
        assert told is not None
        steps = [e for e in engine.ledger.entries("real", kinds=frozenset({"step"})) if e.id.endswith(":1:done")]
        assert [parse_time(at(e.body, "result.startMovedTo")) for e in steps] == [run_at + timedelta(days=7)]
        assert [o["outcome"] for o in cast("list[Document]", told["outcomes"])] == ["remediated"]
        assert target not in ailing(engine, "after")


def ailing(engine: Engine, run: str) -> list[str]:
    """What a dry run says has another identity than its deployments know."""
    request = SweepRequest(run=run, trigger="cli", states=(FailureState.SOURCE_ID_CHANGED,))
    engine.accept(request)
    drive(PROCESSES["sweep"](request.document), engine.activities, engine.clock)
    told = engine.document(run)
    assert told is not None
    return [str(finding["target"]) for finding in cast("list[Document]", told["findings"])]
