"""The inside of machines: a removed worker key brings a new identity, and an imported one brings the old one back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.azure import FIVE_MINUTES, HOUR, Azure, azure
from tests.simulator.small_estate import NOW, RG, SmallEstate, guid, vm_id

SHARED = guid("the image")
STEP = "0123456789abcdef"


@pytest.fixture
def clones() -> Iterator[Azure]:
    estate = SmallEstate()
    for name in ("clone-01", "clone-02", "clone-03"):
        estate.vm(name, identity=SHARED)
    estate.user_worker("Batch", "clone-03")
    estate.row("Update", NOW - HOUR, SourceComputerId=SHARED, ResourceId=vm_id("clone-01").lower(), Title="KB1")
    with azure(estate) as running:
        yield running


def run_script(az: Azure, machine: str, script: str, *, attempt: str = "", **parameters: str) -> tuple[int, Any]:
    """Exit code, and the outcome of the last line; None where there is none."""
    body: Any = {
        "location": "westeurope",
        "properties": {
            "source": {"script": f"# patchwright-script: {script}\n"},
            "parameters": [{"name": name, "value": value} for name, value in parameters.items()],
        },
    }
    commands, name = az.sdk.compute.virtual_machine_run_commands, f"{script}{attempt}"
    commands.begin_create_or_update("rg-web", machine, name, body).result(30)
    view = commands.get_by_virtual_machine("rg-web", machine, name, expand="instanceView").instance_view
    assert view
    last = (view.output or "").strip().rpartition("\n")[2]
    marker = "patchwright-outcome: "
    return view.exit_code or 0, json.loads(last.removeprefix(marker)) if last.startswith(marker) else None


def test_a_reset_machine_registers_anew_after_five_minutes(clones: Azure) -> None:
    code, outcome = run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    assert (code, outcome["outcome"]) == (0, "reset")
    assert outcome["exportPath"].endswith(f"{STEP}.reg")

    clones.simulator.advance(FIVE_MINUTES - timedelta(seconds=1))
    assert clones.identities("clone-01") == [SHARED]
    clones.simulator.advance(timedelta(seconds=1))
    newest, oldest = clones.identities("clone-01")
    assert newest != oldest == SHARED
    assert clones.identities("clone-02") == [SHARED]


def test_the_new_identity_has_a_system_worker_group_that_was_just_seen(clones: Azure) -> None:
    run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    clones.simulator.advance(HOUR)
    (identity,) = set(clones.identities("clone-01")) - {SHARED}
    automation = clones.sdk.automation
    groups = [group.name for group in automation.hybrid_runbook_worker_group.list_by_automation_account(RG, "aa")]
    name = f"clone-01.contoso.com_{identity}"
    assert name in groups
    (worker,) = automation.hybrid_runbook_workers.list_by_hybrid_runbook_worker_group(RG, "aa", name)
    seen: Any = worker.properties
    assert seen.vm_resource_id == vm_id("clone-01")
    assert clones.simulator.now - seen.last_seen_date_time < HOUR


def test_it_assesses_itself_under_the_new_identity(clones: Azure) -> None:
    run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    clones.simulator.advance(HOUR)
    assert clones.query(f"Update | where SourceComputerId != '{SHARED}' | project Title") == [["KB1"]]


def test_the_same_step_delivered_twice_does_it_once(clones: Azure) -> None:
    """The export of the first time is the only way back; it is not overwritten by the new key."""
    _, first = run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    clones.simulator.advance(2 * FIVE_MINUTES)
    _, second = run_script(clones, "clone-01", "reset-worker-key", attempt="2", StepId=STEP)
    clones.simulator.advance(2 * FIVE_MINUTES)

    assert (first["repeated"], second["repeated"]) == (False, True)
    assert second["sha256"] == first["sha256"]
    assert len(clones.identities("clone-01")) == 2


def test_a_user_worker_in_the_key_is_left_alone(clones: Azure) -> None:
    code, outcome = run_script(clones, "clone-03", "reset-worker-key", StepId=STEP)
    assert (code, outcome) == (3, {"outcome": "refused", "reason": "user-hybrid-worker"})
    clones.simulator.advance(HOUR)
    assert clones.identities("clone-03") == [SHARED]


def test_an_import_brings_the_old_identity_back(clones: Azure) -> None:
    _, reset = run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    clones.simulator.advance(HOUR)
    code, restored = run_script(clones, "clone-01", "restore-worker-key", StepId=STEP, Sha256=reset["sha256"])
    assert (code, restored["outcome"]) == (0, "restored")
    clones.simulator.advance(2 * HOUR)
    assert clones.identities("clone-01") == [SHARED]


def test_an_import_right_after_the_reset_forestalls_the_registration(clones: Azure) -> None:
    _, reset = run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    run_script(clones, "clone-01", "restore-worker-key", StepId=STEP, Sha256=reset["sha256"])
    clones.simulator.advance(HOUR)
    assert clones.identities("clone-01") == [SHARED]


@pytest.mark.parametrize(("sha256", "reason"), [("0" * 64, "export-changed"), (None, "no-export")])
def test_an_export_that_is_not_the_recorded_one_is_not_imported(clones: Azure, sha256: str | None, reason: str) -> None:
    if sha256:
        run_script(clones, "clone-01", "reset-worker-key", StepId=STEP)
    code, outcome = run_script(clones, "clone-01", "restore-worker-key", StepId=STEP, Sha256=sha256 or "1" * 64)
    assert (code, outcome) == (3, {"outcome": "refused", "reason": reason})


def test_parameters_that_the_script_would_not_take_do_nothing(clones: Azure) -> None:
    assert run_script(clones, "clone-01", "reset-worker-key", StepId="$(calc)") == (1, None)
    clones.simulator.advance(HOUR)
    assert clones.identities("clone-01") == [SHARED]


def test_an_agent_that_never_registers_stays_silent() -> None:
    with azure(SmallEstate().vm("web-01").guest("web-01", registersAfter=None)) as az:
        run_script(az, "web-01", "reset-worker-key", StepId=STEP)
        az.simulator.advance(3 * HOUR)
        assert az.identities("web-01") == []
        assert run_script(az, "web-01", "reset-worker-key", attempt="2", StepId="f" * 16) == (
            3,
            {"outcome": "refused", "reason": "no-worker-key"},
        )


def test_the_same_run_gives_the_same_identities() -> None:
    seen = []
    for _ in range(2):
        with azure(SmallEstate().vm("web-01")) as az:
            run_script(az, "web-01", "reset-worker-key", StepId=STEP)
            az.simulator.advance(HOUR)
            seen.append(az.identities("web-01"))
    assert seen[0] == seen[1]


def test_an_agent_with_a_damaged_cache_beats_again_only_once_it_has_a_new_one() -> None:
    """A restart alone does not help; the cache that was renamed is there still."""
    estate = SmallEstate().vm("web-01").guest("web-01", windows={"agentCache": "damaged"})
    estate.logs["Heartbeat"].clear()
    estate.beats("web-01", SHARED, since=NOW - 9 * HOUR, until=NOW - 5 * HOUR)
    with azure(estate) as az:
        run_script(az, "web-01", "restart-agent", StepId=STEP)
        az.simulator.advance(HOUR)
        after_restart = az.identities("web-01")
        _, outcome = run_script(az, "web-01", "clear-agent-cache", StepId=STEP)
        az.simulator.advance(HOUR)

        assert (after_restart, az.identities("web-01")) == ([], [SHARED])
        assert outcome["renamedTo"].startswith(
            r"C:\Program Files\Microsoft Monitoring Agent\Agent\Health Service State."
        )
