"""What is wrong inside a machine shows in the logs again and again, until what is wrong is mended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from model.documents import Json
from simulator.estate import Estate
from simulator.fleet import BrokenFleet
from tests.simulator.azure import DAY, HOUR, Azure, azure
from tests.simulator.small_estate import NOW, SmallEstate, guid, vm_id
from tests.simulator.test_guests import STEP

ALGORITHM = "AzureAutomation.HybridAgent: they do not possess a common algorithm"
KEYS = "AzureAutomation.HybridAgent: CertificateCreationException: Failed to create a self-signed certificate."


def run_script(az: Azure, machine: str, script: str, *, linux: bool = False, **parameters: str) -> int:
    """Exit code."""
    text = f"{'#!/bin/sh\n' if linux else ''}# patchwright-script: {script}\n"
    listed = [{"name": name, "value": value} for name, value in parameters.items()]
    body: Any = {"location": "westeurope", "properties": {"source": {"script": text}, "parameters": listed}}
    commands = az.sdk.compute.virtual_machine_run_commands
    commands.begin_create_or_update("rg-web", machine, script, body).result(30)
    view = commands.get_by_virtual_machine("rg-web", machine, script, expand="instanceView").instance_view
    assert view
    return view.exit_code or 0


def complaining(text: str) -> SmallEstate:
    row: dict[str, Json] = {"EventLog": "Operations Manager", "EventID": 4502, "RenderedDescription": text}
    return SmallEstate().vm("web-01").row("Event", NOW - HOUR, _ResourceId=vm_id("web-01"), Computer="web-01", **row)


@pytest.mark.parametrize(("text", "script"), [(ALGORITHM, "enable-tls12"), (KEYS, "grant-machine-keys")])
def test_an_agent_complains_on_until_its_complaint_is_mended(text: str, script: str) -> None:
    with azure(complaining(text)) as az:
        today = "Event | where TimeGenerated > ago(1d) | count"
        az.simulator.advance(3 * DAY)
        assert az.query(today) != [[0]]
        assert run_script(az, "web-01", script, StepId=STEP) == 0
        az.simulator.advance(DAY + HOUR)
        assert az.query(today) == [[0]]


def test_a_complaint_that_no_script_mends_stays() -> None:
    with azure(complaining("AzureAutomation.HybridAgent: Object reference not set")) as az:
        run_script(az, "web-01", "enable-tls12", StepId=STEP)
        az.simulator.advance(2 * DAY)
        assert az.query("Event | where TimeGenerated > ago(1d) | count") != [[0]]


def test_a_clock_that_is_ahead_stamps_beats_of_the_future_until_it_is_set() -> None:
    estate = SmallEstate().vm("web-01")
    estate.beats("web-01", guid("agent/web-01"), since=NOW + 3 * HOUR, until=NOW + 3 * HOUR + timedelta(minutes=1))
    ahead = "Heartbeat | where TimeGenerated > now() + 15m | count"
    with azure(estate) as az:
        az.simulator.advance(2 * DAY)
        assert az.query(ahead) != [[0]]
        assert run_script(az, "web-01", "resync-clock", StepId=STEP) == 0
        az.simulator.advance(4 * HOUR)
        assert az.query(ahead) == [[0]]
        assert az.identities("web-01") == [guid("agent/web-01")]


def test_an_agent_that_assesses_nothing_does_so_once_it_is_restarted() -> None:
    estate = SmallEstate().vm("web-01").beats("web-01", guid("agent/web-01"), since=NOW - 2 * DAY)
    estate.row("Update", NOW - 2 * DAY, _ResourceId=vm_id("web-01"), SourceComputerId=guid("agent/web-01"), Title="KB1")
    assessed = "Update | where TimeGenerated > ago(14h) | count"
    with azure(estate) as az:
        az.simulator.advance(DAY)
        assert az.query(assessed) == [[0]]
        run_script(az, "web-01", "restart-agent", StepId=STEP)
        az.simulator.advance(HOUR)
        assert az.query(assessed) != [[0]]


def test_windows_update_shows_how_it_is_set_at_the_next_assessment() -> None:
    estate = SmallEstate().vm("web-01")
    row = {"_ResourceId": vm_id("web-01").lower(), "ResourceId": vm_id("web-01").lower()}
    columns: dict[str, Json] = {**row, "SourceComputerId": guid("agent/web-01")}
    estate.row("UpdateSummary", NOW - HOUR, WindowsUpdateSetting="Scheduled installation", **columns)
    estate.row("Update", NOW - HOUR, Title="KB1", **columns)
    newest = "UpdateSummary | summarize arg_max(TimeGenerated, WindowsUpdateSetting) | project WindowsUpdateSetting"
    with azure(estate) as az:
        assert run_script(az, "web-01", "set-au-options", StepId=STEP, Target="auto") == 0
        assert az.query(newest) == [["Scheduled installation"]]
        az.simulator.advance(13 * HOUR)
        assert az.query(newest) == [["Notify before installation"]]


@pytest.mark.parametrize(
    "inside",
    [
        {"windows": {"unheard": 1}},
        {"windows": {"services": {"wuauserv": "Sometimes"}}},
        {"windows": {"services": {"Spooler": "Auto"}}},
        {"linux": {"unheard": 1}},
        {"linux": {"lockedFor": "an hour"}},
        {"healthService": "Tired"},
        {"clockAhead": "three hours"},
    ],
    ids=str,
)
def test_an_inside_that_cannot_be_is_an_error_at_the_start(inside: dict[str, Json]) -> None:
    with pytest.raises(BrokenFleet, match="guest /subscriptions"):
        Estate(SmallEstate().vm("web-01").guest("web-01", **inside).fleet())


def test_an_inside_that_is_told_is_the_one_that_scripts_find() -> None:
    estate = SmallEstate().vm("web-01").vm("lin-01", os="Linux").guest("web-01", windows={"domainJoined": True})
    estate.guest("lin-01", linux={"packageManager": "yum", "lockedFor": "PT1H"})
    with azure(estate) as az:
        assert run_script(az, "web-01", "set-reboot-policy", StepId=STEP) == 3
        lists = {"StepId": STEP, "LockSeconds": "60"}
        assert run_script(az, "lin-01", "refresh-metadata", linux=True, **lists) == 1
