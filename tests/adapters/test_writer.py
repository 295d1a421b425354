"""The one door for changes: it re-reads, compares, asks whether it may, writes once, and says what came of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from adapters.clients import Clients
from adapters.writer import AzureWriter
from engine.ports import StepDone, StepFailed, StepForbidden, StepPending, StepProgress, StepStale, quiet
from model.deployments import body_to_put, same_deployment
from model.documents import Document, Json, at, differences, list_at, text_at
from model.facts import Machine, PowerState, Reading
from model.plans import (
    AwaitIdentity,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
    run_command_name,
)
from model.times import format_time, parse_time
from simulator.fleets import generate
from tests.adapters.stub import Said, answering
from tests.adapters.world import World, a_world
from tests.builders import vm
from tests.simulator.small_estate import SmallEstate, arc_id

FLEET_SEED = 3


class Switch:
    """A kill switch that a test turns."""

    reason: str | None = None
    asked: int = 0

    def __call__(self) -> str | None:
        self.asked += 1
        return self.reason


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def world(switch: Switch) -> Iterator[World]:
    with a_world(generate(60, FLEET_SEED), may_write=switch) as made:
        yield made


def finished(world: World, step: Step, step_id: str = "step") -> StepProgress:
    """Begin a step and look again whenever it asks for it, in simulated time."""
    progress = world.writer.begin(step, step_id, {})
    for _ in range(200):
        if not isinstance(progress, StepPending):
            return progress
        world.clock.sleep_until(world.clock.now() + progress.look_again)
        progress = world.writer.check(step, step_id, progress.token)
    raise AssertionError(f"never ended: {progress}")


def a_deployment(world: World) -> Document:
    """One that will run again, whole, as the service gives it."""
    facts = world.facts(Reading.DEPLOYMENTS)
    ahead = world.clock.now() + timedelta(hours=1)
    ids = sorted(d.id for d in facts.deployments.values() if d.next_run and d.next_run > ahead and d.azure_machines)
    return world.estate.look_closer(facts, frozenset(ids[:1])).documents[ids[0]]


def edited(document: Document, **changes: Json) -> Document:
    """The body to PUT: `updateConfiguration` fields replaced, and a start that Azure takes."""
    body = copy.deepcopy(body_to_put(document))
    properties = cast("dict[str, Document]", body["properties"])
    properties["updateConfiguration"].update(changes)
    next_run = parse_time(at(document, "properties.scheduleInfo.nextRun"))
    assert next_run is not None
    properties["scheduleInfo"]["startTime"] = format_time(next_run)
    properties["scheduleInfo"]["timeZone"] = "Etc/UTC"
    return body


def saved(world: World, document: Document) -> Document:
    """The document as it is now."""
    facts = world.facts(Reading.DEPLOYMENTS)
    id_ = str(document["id"]).lower()
    return world.estate.look_closer(facts, frozenset({id_})).documents[id_]


class TestDeployments:
    def test_an_edit_is_saved_and_awaited(self, world: World) -> None:
        """Done when Azure says that it is saved, and what it saved is what was sent."""
        before = a_deployment(world)
        after = edited(before, duration="PT5H")
        step = PutDeployment(deployment=str(before["id"]), before=before, after=after)
        first = world.writer.begin(step, "s", {})
        assert isinstance(first, StepPending | StepDone)
        done = finished(world, step)
        assert isinstance(done, StepDone)
        assert same_deployment(saved(world, before), after) is None
        assert world.writes() == [f"PUT {before['id']}"]

    def test_an_edit_that_holds_already_is_not_made_again(self, world: World) -> None:
        before = a_deployment(world)
        step = PutDeployment(deployment=str(before["id"]), before=before, after=edited(before, duration="PT5H"))
        assert isinstance(finished(world, step), StepDone)
        assert isinstance(finished(world, step), StepDone)
        assert len(world.writes()) == 1

    def test_a_deployment_that_somebody_changed_is_left_alone(self, world: World) -> None:
        """The field is named, and what it is now."""
        before = a_deployment(world)
        theirs = PutDeployment(deployment=str(before["id"]), before=before, after=edited(before, duration="PT4H"))
        assert isinstance(finished(world, theirs), StepDone)
        ours = PutDeployment(deployment=str(before["id"]), before=before, after=edited(before, duration="PT5H"))
        stale = world.writer.begin(ours, "s", {})
        assert isinstance(stale, StepStale)
        assert (stale.field, stale.found) == ("properties.updateConfiguration.duration", "PT4H")
        assert len(world.writes()) == 1

    def test_a_deployment_that_somebody_saved_unchanged_is_left_alone_too(self, world: World) -> None:
        before = a_deployment(world)
        earlier = copy.deepcopy(before)
        cast("Document", earlier["properties"])["lastModifiedTime"] = "2020-01-01T00:00:00+00:00"
        step = PutDeployment(deployment=str(before["id"]), before=earlier, after=edited(before, duration="PT5H"))
        stale = world.writer.begin(step, "s", {})
        assert isinstance(stale, StepStale)
        assert stale.field == "properties.lastModifiedTime"
        assert world.writes() == []

    def test_what_this_run_wrote_itself_is_no_surprise(self, world: World) -> None:
        """Two steps that follow each other on one deployment, the second planned from the same reading as the first."""
        before = a_deployment(world)
        first = edited(before, duration="PT4H")
        step = PutDeployment(deployment=str(before["id"]), before=before, after=first)
        assert isinstance(finished(world, step), StepDone)
        second = PutDeployment(deployment=str(before["id"]), before=before, after=edited(before, duration="PT5H"))
        own = world.writer.begin(second, "s", {str(before["id"]).lower(): first})
        assert isinstance(own, StepPending | StepDone)

    def test_nothing_is_saved_that_patches_nothing(self, world: World) -> None:
        before = a_deployment(world)
        after = edited(before, azureVirtualMachines=[], nonAzureComputerNames=[], targets=None)
        refused = world.writer.begin(PutDeployment(deployment=str(before["id"]), before=before, after=after), "s", {})
        assert isinstance(refused, StepFailed)
        assert (refused.retry, "without a target" in refused.reason) == (False, True)
        assert world.writes() == []

    @pytest.mark.parametrize(
        ("ahead", "taken"), [(timedelta(minutes=9, seconds=59), False), (timedelta(minutes=11), True)]
    )
    def test_a_start_must_be_ten_minutes_ahead(self, world: World, ahead: timedelta, taken: bool) -> None:  # noqa: FBT001
        before = a_deployment(world)
        after = edited(before, duration="PT5H")
        schedule = cast("Document", cast("Document", after["properties"])["scheduleInfo"])
        schedule["startTime"] = format_time(world.clock.now() + ahead)
        progress = world.writer.begin(PutDeployment(deployment=str(before["id"]), before=before, after=after), "s", {})
        assert isinstance(progress, StepPending | StepDone) is taken
        assert bool(world.writes()) is taken

    def test_a_deployment_that_is_gone_is_stale(self, world: World) -> None:
        before = a_deployment(world)
        step = PutDeployment(deployment=f"{before['id']}-gone", before=before, after=edited(before))
        assert isinstance(world.writer.begin(step, "s", {}), StepStale)
        assert world.writes() == []

    @pytest.mark.parametrize(("status", "retry"), [(400, False), (403, False), (409, True), (429, True), (500, True)])
    @pytest.mark.parametrize("restores", [False, True])
    def test_a_refused_save_is_tried_again_where_that_may_help_or_must(
        self,
        world: World,
        status: int,
        retry: bool,  # noqa: FBT001
        restores: bool,  # noqa: FBT001
    ) -> None:
        """A save that puts a machine back is always tried again: until it holds, the machine is unpatched."""
        before = a_deployment(world)
        world.azure.order({"kind": "error", "status": status, "method": "PUT"})
        step = PutDeployment(deployment=str(before["id"]), before=before, after=edited(before), restores=restores)
        failed = world.writer.begin(step, "s", {})
        assert isinstance(failed, StepFailed)
        assert failed.retry is (retry or restores)
        assert len(world.writes()) == 1
        (refused,) = world.written()
        assert failed.request_ids == (refused["requestId"],)

    def test_a_save_whose_answer_was_lost_is_found_and_not_repeated(self, world: World) -> None:
        before = a_deployment(world)
        world.azure.order({"kind": "reset", "method": "PUT", "after": True})
        step = PutDeployment(deployment=str(before["id"]), before=before, after=edited(before, duration="PT5H"))
        lost = world.writer.begin(step, "s", {})
        assert isinstance(lost, StepFailed)
        assert lost.retry
        world.azure.clear_faults()
        assert isinstance(finished(world, step), StepDone)
        assert len(world.writes()) == 1


def the_scope(world: World) -> Document:
    searches = world.facts(Reading.SAVED_SEARCHES).saved_searches.values()
    return next(s.document for s in searches if s.id.endswith("microsoftdefaultcomputergroup"))


def requeried(document: Document, query: str) -> Document:
    after = copy.deepcopy(document)
    cast("Document", after["properties"])["query"] = query
    return after


class TestSavedSearches:
    def test_a_query_is_replaced_and_put_back(self, world: World) -> None:
        """Everything else of the saved search stays."""
        before = the_scope(world)
        after = requeried(before, "Heartbeat | where false")
        there = PutSavedSearch(saved_search=str(before["id"]), before=before, after=after)
        assert isinstance(finished(world, there), StepDone)
        assert the_scope(world)["properties"] == after["properties"]
        back = PutSavedSearch(saved_search=str(before["id"]), before=after, after=before, restores=True)
        assert isinstance(finished(world, back), StepDone)
        assert the_scope(world)["properties"] == before["properties"]

    def test_a_query_that_somebody_changed_is_left_alone(self, world: World) -> None:
        before = the_scope(world)
        elder = requeried(before, "Heartbeat | where true")
        step = PutSavedSearch(saved_search=str(before["id"]), before=elder, after=requeried(before, "Heartbeat"))
        stale = world.writer.begin(step, "s", {})
        assert isinstance(stale, StepStale)
        assert (stale.field, stale.found) == ("properties.query", at(before, "properties.query"))
        assert world.writes() == []

    @pytest.mark.parametrize("status", [409, 412])
    def test_one_that_is_saved_in_between_is_stale(self, world: World, status: int) -> None:
        """Between our reading and our writing: Azure sees it by the ETag."""
        before = the_scope(world)
        world.azure.order({"kind": "error", "status": status, "method": "PUT"})
        step = PutSavedSearch(saved_search=str(before["id"]), before=before, after=requeried(before, "Heartbeat"))
        stale = world.writer.begin(step, "s", {})
        assert isinstance(stale, StepStale)
        assert stale.field == "etag"


def a_windows_machine(world: World) -> tuple[str, str]:
    """Id and location of a running machine with a worker key of its own."""
    machines = world.facts(Reading.MACHINES).machines.values()
    clone = next(m for m in machines if m.name.lower().startswith("farma"))
    return clone.arm_id, clone.location


def a_reset(world: World, **changes: str) -> RunScript:
    machine, location = a_windows_machine(world)
    return RunScript(
        machine=changes.get("machine", machine),
        location=location,
        script=changes.get("script", "windows/reset-worker-key.ps1"),
        parameters={"StepId": changes.get("step_id", "0123456789abcdef")},
    )


class TestScripts:
    def test_a_script_is_sent_once_awaited_and_its_command_removed(self, world: World) -> None:
        step = a_reset(world)
        done = finished(world, step)
        assert isinstance(done, StepDone)
        assert (done.result["outcome"], done.result["exitCode"]) == ("reset", 0)
        assert "runCommandLeftBehind" not in done.result
        name = run_command_name("step")
        path = f"{step.machine}/runCommands/{name}"
        assert world.writes() == [f"PUT {path}", f"DELETE {path}"]

    def test_an_arc_machine_gets_its_script_from_its_own_service(self) -> None:
        estate = SmallEstate().arc("arc-01").arc("arc-02", status="Disconnected")
        estate.guests[arc_id("arc-01")] = {"workerKey": {"SourceComputerId": "11111111-2222-4333-8444-000000000001"}}
        with a_world(estate.fleet()) as world:
            step = RunScript(
                machine=arc_id("arc-01"),
                location="westeurope",
                script="windows/reset-worker-key.ps1",
                parameters={"StepId": "0123456789abcdef"},
            )
            done = finished(world, step)
            assert isinstance(done, StepDone)
            path = f"{step.machine}/runCommands/{run_command_name('step')}"
            assert world.writes() == [f"PUT {path}", f"DELETE {path}"]
            assert done.request_ids == written(world)
            off = world.writer.begin(replace(step, machine=arc_id("arc-02")), "other", {})
            assert off == StepFailed(reason="the machine is Disconnected, not connected")

    def test_a_machine_that_holds_as_many_commands_as_it_may_is_left_for_later(self, world: World) -> None:
        step = a_reset(world)
        for number in range(25):
            assert isinstance(world.writer.begin(step, f"step-{number}", {}), StepPending)
            world.clock.sleep_until(world.clock.now() + timedelta(minutes=1))
        full = world.writer.begin(step, "one-more", {})
        assert isinstance(full, StepFailed)
        assert full.retry
        assert "25 run commands" in full.reason
        assert len(world.writes()) == 25

    def test_a_second_delivery_finds_the_command_that_was_sent(self, world: World) -> None:
        step = a_reset(world)
        assert isinstance(world.writer.begin(step, "step", {}), StepPending)
        assert isinstance(world.writer.begin(step, "step", {}), StepPending)
        assert len(world.writes()) == 1

    def test_the_outcome_is_in_the_token_before_the_command_is_removed(self, world: World) -> None:
        """A crash in between must not lose it: a begin that finds no command would send the script again."""
        step = a_reset(world)
        progress = world.writer.begin(step, "step", {})
        while isinstance(progress, StepPending) and "ended" not in progress.token:
            world.clock.sleep_until(world.clock.now() + progress.look_again)
            progress = world.writer.check(step, "step", progress.token)
        assert isinstance(progress, StepPending)
        assert [write.split()[0] for write in world.writes()] == ["PUT"]
        # The last look may be delivered twice as well.
        first = world.writer.check(step, "step", progress.token)
        again = world.writer.check(step, "step", progress.token)
        assert isinstance(first, StepDone)
        assert isinstance(again, StepDone)
        assert again.result == first.result

    def test_a_refusal_by_the_script_fails_the_step(self, world: World) -> None:
        """Sent to a machine whose key holds a user worker: the script looks for itself."""
        workers = {w.machine_id for w in world.facts(Reading.USER_WORKERS).user_workers}
        machine = next(
            m for m in world.facts(Reading.MACHINES).machines.values() if m.id in workers and m.os == "Windows"
        )
        failed = finished(world, a_reset(world, machine=machine.arm_id))
        assert isinstance(failed, StepFailed)
        assert failed.reason == "the script refused: user-hybrid-worker"
        assert not failed.retry

    def test_a_script_that_fails_says_how(self, world: World) -> None:
        world.azure.order({"kind": "script-fails", "exitCode": 7, "stderr": "no\x1b[31m disk\nleft"})
        failed = finished(world, a_reset(world))
        assert isinstance(failed, StepFailed)
        assert "exit code 7" in failed.reason
        assert failed.reason.isprintable()
        assert [write.split()[0] for write in world.writes()] == ["PUT", "DELETE"]
        assert failed.request_ids == tuple(request["requestId"] for request in world.written())

    def test_a_script_that_never_ends_is_given_up_and_cancelled(self, world: World) -> None:
        world.azure.order({"kind": "script-hangs"})
        failed = finished(world, a_reset(world))
        assert isinstance(failed, StepFailed)
        assert [write.split()[0] for write in world.writes()] == ["PUT", "DELETE"]

    def test_a_machine_that_is_off_is_sent_nothing(self, world: World) -> None:
        off = next(m for m in world.facts(Reading.MACHINES).machines.values() if m.power.value == "deallocated")
        failed = world.writer.begin(a_reset(world, machine=off.arm_id), "step", {})
        assert isinstance(failed, StepFailed)
        assert "not running" in failed.reason
        assert world.writes() == []

    def test_a_machine_that_runs_another_command_is_left_for_later(self, world: World) -> None:
        world.azure.order({"kind": "script-hangs"})
        step = a_reset(world)
        assert isinstance(world.writer.begin(step, "one", {}), StepPending)
        failed = world.writer.begin(step, "two", {})
        assert isinstance(failed, StepFailed)
        assert failed.retry
        assert len(world.writes()) == 1

    def test_a_machine_that_is_gone_is_stale(self, world: World) -> None:
        machine, _ = a_windows_machine(world)
        assert isinstance(world.writer.begin(a_reset(world, machine=f"{machine}-gone"), "step", {}), StepStale)
        assert world.writes() == []

    @pytest.mark.parametrize("value", ["$(reboot)", "`id`", "a;b", "a\nb", 'a"b', "a'b", "a&b", "a|b", "%PATH%", "ü"])
    def test_a_parameter_that_a_shell_could_read_otherwise_is_not_sent(self, world: World, value: str) -> None:
        failed = world.writer.begin(a_reset(world, step_id=value), "step", {})
        assert isinstance(failed, StepFailed)
        assert "StepId" in failed.reason
        assert world.writes() == []

    @pytest.mark.parametrize("script", ["../../pyproject.toml", "/etc/passwd", "windows/none.ps1", "windows", ""])
    def test_only_scripts_of_the_package_are_sent(self, world: World, script: str) -> None:
        failed = world.writer.begin(a_reset(world, script=script), "step", {})
        assert isinstance(failed, StepFailed)
        assert world.writes() == []

    def test_something_that_is_no_machine_is_sent_nothing(self, world: World) -> None:
        for machine in (world.fleet.workspace, "web-01", "/subscriptions/s/../../x"):
            assert isinstance(world.writer.begin(a_reset(world, machine=machine), "step", {}), StepFailed)
        assert world.writes() == []


class TestIdentities:
    def test_a_machine_that_was_reset_is_awaited_until_it_beats_anew(self, world: World) -> None:
        machine, _ = a_windows_machine(world)
        rows = world.facts().rows["cloned-machine"]
        shared = next(str(r["SourceComputerId"]) for r in rows if r["MachineId"] == machine.lower())
        step = AwaitIdentity(
            machine=machine, workspace_guid=world.azure.workspace_guid, not_source_computer_id=shared.upper()
        )
        assert isinstance(world.writer.begin(step, "wait", {}), StepPending)
        assert isinstance(finished(world, a_reset(world)), StepDone)
        done = finished(world, step)
        assert isinstance(done, StepDone)
        assert done.result["sourceComputerId"] not in {shared, None}

    def test_a_machine_that_keeps_its_identity_is_not_awaited_for_ever(self, world: World) -> None:
        machine, _ = a_windows_machine(world)
        rows = world.facts().rows["cloned-machine"]
        shared = next(str(r["SourceComputerId"]) for r in rows if r["MachineId"] == machine.lower())
        step = AwaitIdentity(machine=machine, workspace_guid=world.azure.workspace_guid, not_source_computer_id=shared)
        started = world.clock.now()
        assert isinstance(finished(world, step), StepFailed)
        assert timedelta(minutes=45) <= world.clock.now() - started < timedelta(minutes=50)
        assert world.writes() == []


class TestProviders:
    def test_a_provider_is_registered_and_awaited(self, world: World) -> None:
        facts = world.facts(Reading.PROVIDERS)
        lacking = next(p for p in facts.providers.values() if p.state == "NotRegistered")
        step = RegisterProvider(
            subscription=lacking.subscription, namespace=lacking.namespace, state_before=lacking.state
        )
        assert isinstance(finished(world, step), StepDone)
        again = world.facts(Reading.PROVIDERS)
        assert again.providers[lacking.subscription, lacking.namespace.lower()].state == "Registered"
        assert isinstance(finished(world, step), StepDone)
        assert world.writes() == [f"POST /subscriptions/{lacking.subscription}/providers/Microsoft.Automation/register"]

    def test_a_provider_in_another_state_than_planned_is_left_alone(self, world: World) -> None:
        lacking = next(p for p in world.facts(Reading.PROVIDERS).providers.values() if p.state == "NotRegistered")
        step = RegisterProvider(
            subscription=lacking.subscription, namespace=lacking.namespace, state_before="Unregistered"
        )
        assert world.writer.begin(step, "s", {}) == StepStale(
            field="registrationState", planned="Unregistered", found="NotRegistered"
        )
        assert world.writes() == []

    def test_a_registration_that_hangs_is_given_up_after_half_an_hour(self) -> None:
        step = RegisterProvider(subscription="s", namespace="Microsoft.Automation", state_before="NotRegistered")
        with answering(lambda _: Said(body={"registrationState": "Registering"})) as azure:
            clock = AClock()
            writer = AzureWriter(lambda: Clients(azure.url, read_only=False), clock, lambda: None)
            progress = writer.begin(step, "s", {})
            while isinstance(progress, StepPending):
                clock.sleep_until(clock.now() + progress.look_again)
                progress = writer.check(step, "s", progress.token)
            assert isinstance(progress, StepFailed)
            assert progress.reason == "Registering for more than 30 min"
            assert clock.now() - AClock.START <= timedelta(minutes=31)
            assert {asked.method for asked in azure.asked} == {"GET"}


class TestQuotas:
    def quota(self, world: World) -> float | None:
        workspace = world.facts(Reading.WORKSPACE).log_workspace
        return workspace.daily_quota_gb if workspace else None

    def test_the_cap_is_set_once_and_nothing_else_of_the_workspace_changes(self, world: World) -> None:
        before = world.estate.arm.get(world.fleet.workspace)
        step = SetDailyQuota(workspace=world.fleet.workspace, gb_before=-1.0, gb_after=5.0)
        assert isinstance(finished(world, step), StepDone)
        # Delivered again: it is set, so there is nothing to do.
        assert isinstance(finished(world, step), StepDone)
        assert world.writer.check(step, "s", {}) == StepDone()
        assert self.quota(world) == 5.0
        assert world.writes() == [f"PATCH {world.fleet.workspace}"]
        back = SetDailyQuota(workspace=world.fleet.workspace, gb_before=5.0, gb_after=1.0)
        assert isinstance(finished(world, back), StepDone)
        after = world.estate.arm.get(world.fleet.workspace)
        assert [c.field for c in differences(before, after)] == ["properties.workspaceCapping.dailyQuotaGb"]

    def test_another_cap_than_planned_is_left_alone(self, world: World) -> None:
        step = SetDailyQuota(workspace=world.fleet.workspace, gb_before=1.0, gb_after=2.0)
        field = "properties.workspaceCapping.dailyQuotaGb"
        assert world.writer.begin(step, "s", {}) == StepStale(field=field, planned=1.0, found=-1.0)
        assert world.writer.check(step, "s", {}) == StepStale(field=field, planned=2.0, found=-1.0)
        assert world.writes() == []

    @pytest.mark.parametrize("gb", [-1.0, 0.0, -5.0])
    def test_a_cap_is_never_taken_away(self, world: World, gb: float) -> None:
        """Without one there is no end to what it may cost."""
        step = SetDailyQuota(workspace=world.fleet.workspace, gb_before=-1.0, gb_after=gb)
        assert isinstance(world.writer.begin(step, "s", {}), StepFailed)
        assert world.writes() == []

    def test_something_that_is_no_workspace_is_left_alone(self, world: World) -> None:
        step = SetDailyQuota(workspace=world.fleet.account, gb_before=-1.0, gb_after=2.0)
        assert isinstance(world.writer.begin(step, "s", {}), StepFailed)
        assert world.writes() == []


def a_stopped_machine(world: World) -> Machine:
    machines = world.facts(Reading.MACHINES).machines.values()
    return next(m for m in machines if m.power is PowerState.DEALLOCATED)


class TestPower:
    def test_a_stopped_machine_is_started_once_and_awaited(self, world: World) -> None:
        machine = a_stopped_machine(world)
        step = StartMachine(machine=machine.arm_id, power_before="deallocated")
        assert isinstance(finished(world, step), StepDone)
        assert world.facts(Reading.MACHINES).machines[machine.id].power is PowerState.RUNNING
        # Delivered again: it runs, so there is nothing to do.
        assert isinstance(finished(world, step), StepDone)
        assert world.writes() == [f"POST {machine.arm_id}/start"]

    def test_a_machine_in_another_power_state_than_planned_is_left_alone(self, world: World) -> None:
        machine = a_stopped_machine(world)
        step = StartMachine(machine=machine.arm_id, power_before="stopped")
        assert world.writer.begin(step, "s", {}) == StepStale(field="power", planned="stopped", found="deallocated")
        assert world.writes() == []

    def test_a_machine_that_does_not_come_up_is_given_up_after_half_an_hour(self) -> None:
        machine = vm("web-01")
        view: Document = {"properties": {"instanceView": {"statuses": [{"code": "PowerState/starting"}]}}}
        with answering(lambda _: Said(body=view)) as azure:
            clock = AClock()
            writer = AzureWriter(lambda: Clients(azure.url, read_only=False), clock, lambda: None)
            step = StartMachine(machine=machine, power_before="stopped")
            progress = writer.begin(step, "s", {})
            while isinstance(progress, StepPending):
                clock.sleep_until(clock.now() + progress.look_again)
                progress = writer.check(step, "s", progress.token)
            assert progress == StepFailed(reason="the machine is starting after more than 30 min")
            assert {asked.method for asked in azure.asked} == {"GET"}


class AClock:
    """A clock that a test moves by waiting."""

    START = datetime(2026, 3, 10, 6, tzinfo=UTC)

    def __init__(self) -> None:
        self.time = self.START

    def now(self) -> datetime:
        return self.time

    def sleep_until(self, due: datetime) -> None:
        self.time = max(self.time, due)


def steps_of_every_kind(world: World) -> list[Step]:
    """Steps that would write, were they allowed to."""
    deployment, scope = a_deployment(world), the_scope(world)
    lacking = next(p for p in world.facts(Reading.PROVIDERS).providers.values() if p.state == "NotRegistered")
    return [
        PutDeployment(deployment=str(deployment["id"]), before=deployment, after=edited(deployment, duration="PT5H")),
        PutSavedSearch(saved_search=str(scope["id"]), before=scope, after=requeried(scope, "Heartbeat")),
        a_reset(world),
        RegisterProvider(subscription=lacking.subscription, namespace=lacking.namespace, state_before=lacking.state),
        SetDailyQuota(workspace=world.fleet.workspace, gb_before=-1.0, gb_after=5.0),
        StartMachine(machine=a_stopped_machine(world).arm_id, power_before="deallocated"),
    ]


def test_nothing_is_written_while_writing_is_forbidden(world: World, switch: Switch) -> None:
    """The lock, the kill switch or a lost lease: asked right before each write, and not taken for passing."""
    switch.reason = "the kill switch is on"
    for step in steps_of_every_kind(world):
        assert world.writer.begin(step, "s", {}) == StepForbidden(reason="the kill switch is on")
    assert switch.asked == 6
    assert world.writes() == []


def test_every_kind_of_write_asks_first(world: World, switch: Switch) -> None:
    for step in steps_of_every_kind(world):
        finished(world, step)
    # The run command's removal is a write as well; and before the first step whether the writer is needed at all.
    assert len(world.writes()) == 7
    assert switch.asked == 1 + 7


def written(world: World) -> tuple[str, ...]:
    """What Azure calls the requests that changed something."""
    return tuple(str(request["requestId"]) for request in world.written())


def test_a_step_says_what_azure_calls_its_requests(world: World) -> None:
    """Whoever asks Microsoft about a change is asked for these; reads are not among them."""
    for step in steps_of_every_kind(world):
        before = len(written(world))
        done = finished(world, step)
        assert isinstance(done, StepDone)
        assert done.request_ids == written(world)[before:]
        assert len(done.request_ids) == (2 if isinstance(step, RunScript) else 1)


def test_a_dead_azure_fails_each_step_for_now(world: World) -> None:
    steps = steps_of_every_kind(world)
    world.azure.order({"kind": "reset"})
    for step in steps:
        failed = world.writer.begin(step, "s", {})
        assert isinstance(failed, StepFailed)
        assert failed.retry


def test_the_writing_identity_is_not_asked_for_before_the_first_step() -> None:
    """A dry run has no step, and so never constructs the credential that could write."""

    def forbidden() -> Clients:
        raise AssertionError("the writer's clients were built")

    with a_world(generate(20, 1)) as world:
        writer = AzureWriter(forbidden, world.clock, lambda: None)
        assert writer.requests.write == 0
        world.estate.read(frozenset(Reading), {}, quiet)
        with pytest.raises(AssertionError, match="clients were built"):
            writer.begin(RegisterProvider(subscription="s", namespace="n", state_before=""), "s", {})


def test_our_own_run_command_names_fit_arc_and_differ_by_step() -> None:
    """Arc takes at most 36 characters on Linux."""
    names = {run_command_name(step_id) for step_id in ("a", "b", "a" * 1000, "ü/|")}
    assert len(names) == 4
    assert all(len(name) <= 36 and name.replace("-", "").isalnum() for name in names)


def test_statuses_of_a_generated_machine_are_those_that_the_door_looks_for(world: World) -> None:
    """The instance view of a running machine has a ready agent in it."""
    facts = world.facts(Reading.MACHINES)
    machine, _ = a_windows_machine(world)
    view = world.estate.look_closer(facts, frozenset({machine.lower()})).documents[machine.lower()]
    codes = [
        text_at(s, "code") for s in list_at(view, "properties.instanceView.vmAgent.statuses") if isinstance(s, dict)
    ]
    assert "ProvisioningState/succeeded" in codes
