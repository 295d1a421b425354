"""Run Command on Azure VMs and Arc machines, managed and as an action."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from model.documents import Document, Json
from tests.simulator.azure import Azure, azure
from tests.simulator.small_estate import SmallEstate, arc_id, vm_id

RESET = "# patchwright-script: reset-worker-key\n"
STEP = "0123456789abcdef"
VERSION = "api-version=2026-04-01"


def command(script: str = RESET, step: str = STEP, **properties: Json) -> Any:
    parameters: list[Json] = [{"name": "StepId", "value": step}]
    body: Document = {"source": {"script": script}, "parameters": parameters, **properties}
    return {"location": "westeurope", "properties": body}


@pytest.fixture
def az() -> Iterator[Azure]:
    with azure(
        SmallEstate().vm("web-01").vm("off-01", power="deallocated").vm("lin-01", os="Linux").arc("arc-01")
    ) as running:
        yield running


def view(az: Azure, name: str, machine: str = "web-01") -> Any:
    commands = az.sdk.compute.virtual_machine_run_commands
    return commands.get_by_virtual_machine("rg-web", machine, name, expand="instanceView").instance_view


def begin(az: Azure, name: str, body: Any, machine: str = "web-01") -> Any:
    return az.sdk.compute.virtual_machine_run_commands.begin_create_or_update("rg-web", machine, name, body)


def test_a_managed_command_says_how_the_script_ended(az: Azure) -> None:
    done = begin(az, "one", command()).result(30)
    assert done.provisioning_state == "Succeeded"
    assert done.instance_view is None  # only a GET that asks for it has one

    seen = view(az, "one")
    assert (seen.execution_state, seen.exit_code) == ("Succeeded", 0)
    assert seen.output.splitlines()[-1].startswith('patchwright-outcome: {"outcome":"reset"')


def test_the_operation_succeeds_although_the_script_failed(az: Azure) -> None:
    """Success of the operation says that the platform ran the script, no more."""
    assert begin(az, "one", command("Get-Date")).result(30).provisioning_state == "Succeeded"
    seen = view(az, "one")
    assert (seen.execution_state, seen.exit_code) == ("Failed", 1)
    assert "cannot run" in seen.error


def test_an_asynchronous_command_is_seen_running_and_then_ended(az: Azure) -> None:
    begin(az, "one", command(asyncExecution=True)).result(30)
    assert view(az, "one").execution_state == "Running"
    assert view(az, "one").execution_state == "Succeeded"


def test_a_list_of_commands_has_their_views_only_when_asked(az: Azure) -> None:
    begin(az, "one", command()).result(30)
    commands = az.sdk.compute.virtual_machine_run_commands
    (bare,) = commands.list_by_virtual_machine("rg-web", "web-01")
    (whole,) = commands.list_by_virtual_machine("rg-web", "web-01", expand="instanceView")
    assert bare.instance_view is None
    assert whole.instance_view is not None
    assert whole.instance_view.execution_state == "Succeeded"


def test_a_script_takes_simulated_time(az: Azure) -> None:
    begin(az, "one", command(asyncExecution=True)).result(30)
    az.simulator.advance(timedelta(seconds=20))
    assert view(az, "one").execution_state == "Succeeded"


def test_a_script_that_hangs_is_timed_out(az: Azure) -> None:
    az.simulator.order({"kind": "script-hangs", "path": "web-01"})
    begin(az, "one", command(asyncExecution=True, timeoutInSeconds=600)).result(30)
    for _ in range(5):
        assert view(az, "one").execution_state == "Running"
    az.simulator.advance(timedelta(minutes=10))
    assert view(az, "one").execution_state == "TimedOut"


def test_only_the_last_4096_bytes_of_output_come_back(az: Azure) -> None:
    az.simulator.order({"kind": "script-fails", "stderr": "x" * 5000 + "the end", "exitCode": 9})
    begin(az, "one", command()).result(30)
    seen = view(az, "one")
    assert (len(seen.error), seen.exit_code) == (4096, 9)
    assert seen.error.endswith("the end")


def test_the_same_script_under_the_same_name_is_not_run_again(az: Azure) -> None:
    begin(az, "one", command()).result(30)
    first = view(az, "one")
    az.simulator.order({"kind": "script-fails"})
    begin(az, "one", command()).result(30)
    assert view(az, "one").start_time == first.start_time
    assert view(az, "one").exit_code == 0


def test_a_machine_holds_at_most_25_commands(az: Azure) -> None:
    for number in range(25):
        begin(az, f"n{number}", command("Get-Date")).result(30)
    with pytest.raises(ResourceExistsError, match="25"):
        begin(az, "n25", command())
    az.sdk.compute.virtual_machine_run_commands.begin_delete("rg-web", "web-01", "n0").result(30)
    begin(az, "n25", command()).result(30)
    listed = az.sdk.compute.virtual_machine_run_commands.list_by_virtual_machine("rg-web", "web-01")
    assert len(list(listed)) == 25


def test_a_deleted_command_is_gone(az: Azure) -> None:
    begin(az, "one", command()).result(30)
    az.sdk.compute.virtual_machine_run_commands.begin_delete("rg-web", "web-01", "one").result(30)
    with pytest.raises(ResourceNotFoundError):
        view(az, "one")


def test_a_machine_that_does_not_run_refuses(az: Azure) -> None:
    with pytest.raises(ResourceExistsError, match="not running") as refused:
        begin(az, "one", command(), "off-01")
    assert refused.value.error
    assert refused.value.error.code == "OperationNotAllowed"


def test_a_stopped_machine_can_be_started_and_beats_again(az: Azure) -> None:
    az.sdk.compute.virtual_machines.begin_deallocate("rg-web", "web-01").result(30)
    az.simulator.advance(timedelta(hours=2))
    assert az.identities("web-01") == []
    az.sdk.compute.virtual_machines.begin_start("rg-web", "web-01").result(30)
    az.simulator.advance(timedelta(minutes=5))
    assert len(az.identities("web-01")) == 1


def test_only_one_action_at_a_time(az: Azure) -> None:
    """The second is a 409 that says `Conflict`, and is not about anything that exists already."""
    body: Any = {
        "commandId": "RunPowerShellScript",
        "script": [RESET],
        "parameters": [{"name": "StepId", "value": STEP}],
    }
    first = az.sdk.compute.virtual_machines.begin_run_command("rg-web", "web-01", body, polling=False)
    with pytest.raises(ResourceExistsError) as refused:
        az.sdk.compute.virtual_machines.begin_run_command("rg-web", "web-01", body)
    assert refused.value.error
    assert refused.value.error.code == "Conflict"

    az.simulator.advance(timedelta(seconds=30))
    done = az.sdk.compute.virtual_machines.begin_run_command("rg-web", "web-01", body).result(30)
    assert [each.code for each in done.value or []] == [
        "ComponentStatus/StdOut/succeeded",
        "ComponentStatus/StdErr/succeeded",
    ]
    del first


def test_the_action_on_linux_answers_in_one_text(az: Azure) -> None:
    body: Any = {"commandId": "RunShellScript", "script": ["true"]}
    done = az.sdk.compute.virtual_machines.begin_run_command("rg-web", "lin-01", body).result(30)
    (status,) = done.value or []
    assert "[stdout]" in str(status.message)
    assert "[stderr]" in str(status.message)


def test_an_arc_machine_answers_with_its_instance_view_unasked(az: Azure) -> None:
    body = command("Get-Date")
    az.sdk.arc.machine_run_commands.begin_create_or_update("rg-arc", "arc-01", "one", body).result(30)
    got: Any = az.sdk.arc.machine_run_commands.get("rg-arc", "arc-01", "one")
    assert got.properties.instance_view.execution_state == "Failed"
    assert az.http("GET", f"{arc_id('arc-01')}/runCommands/none?{VERSION}").status == 404


def test_an_operation_says_where_to_look_and_when() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        reply = az.http("PUT", f"{vm_id('web-01')}/runCommands/one?{VERSION}", command())
        assert reply.status == 201
        look = reply.headers["azure-asyncoperation"]
        states = [az.http("GET", look).body["status"] for _ in range(2)]
        assert states == ["InProgress", "Succeeded"]


def test_what_is_not_there_is_resource_managers_404(az: Azure) -> None:
    with pytest.raises(ResourceNotFoundError) as missing:
        az.sdk.compute.virtual_machines.get("rg-web", "none")
    assert missing.value.error
    assert missing.value.error.code == "ResourceNotFound"


def test_the_instance_view_comes_only_when_asked_for(az: Azure) -> None:
    assert az.sdk.compute.virtual_machines.get("rg-web", "web-01").instance_view is None
    expanded: Any = az.sdk.compute.virtual_machines.get("rg-web", "web-01", expand="instanceView")
    assert [status.code for status in expanded.instance_view.statuses][-1] == "PowerState/running"
    alone: Any = az.sdk.compute.virtual_machines.instance_view("rg-web", "off-01")
    assert alone.statuses[-1].code == "PowerState/deallocated"
    everywhere = list(az.sdk.compute.virtual_machines.list_all(status_only="true"))
    assert len(everywhere) == 3


def test_a_script_without_text_is_refused(az: Azure) -> None:
    with pytest.raises(HttpResponseError, match=r"source\.script"):
        begin(az, "one", command(""))
