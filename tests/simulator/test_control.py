"""The simulator's own interface: the request log, the clock, the settings; and how it starts and stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.settings import Settings
from model.documents import Document
from simulator.__main__ import main
from simulator.fleet import save_folder
from tests.simulator.azure import HOUR, azure
from tests.simulator.small_estate import ACCOUNT, NOW, RG, SUBSCRIPTION, WORKSPACE, SmallEstate, deployment_body

ROOT = Path(__file__).parents[2]


def test_every_request_is_logged_in_order_with_its_answer_and_what_it_sent() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        az.sdk.automation.automation_account.get(RG, "aa")
        az.simulator.advance(HOUR)
        az.put_deployment("Weekly", deployment_body("web-01"))
        az.http("GET", f"{ACCOUNT}/nothing?api-version=1")

        first, second, third = az.http("GET", "/_simulator/requests").body
        assert (first["method"], first["path"], first["status"], first["at"]) == (
            *("GET", ACCOUNT, 200, "2026-03-10T06:00:00Z"),
        )
        assert first["query"] == {"api-version": "2024-10-23"}
        assert (second["method"], second["status"], second["at"]) == ("PUT", 201, "2026-03-10T07:00:00Z")
        assert json.loads(second["body"])["properties"]["scheduleInfo"]["frequency"] == "Week"
        assert third["status"] == 404
        assert az.http("GET", "/_simulator/requests?since=2&body=false").body[0].keys().isdisjoint({"body"})


def test_every_answer_says_what_the_request_is_called_and_the_log_knows_it() -> None:
    with azure(SmallEstate()) as az:
        replies = [az.http("GET", f"{ACCOUNT}{path}?api-version=1") for path in ("", "", "/nothing")]
        names = [reply.headers["x-ms-request-id"] for reply in replies]
        assert [str(uuid.UUID(name)) for name in names] == names
        assert len(set(names)) == 3
        assert [request["requestId"] for request in az.http("GET", "/_simulator/requests").body] == names


def test_the_clock_stands_still_until_it_is_told_to_move() -> None:
    with azure(SmallEstate()) as az:
        assert az.simulator.now == NOW
        assert az.simulator.advance(timedelta(minutes=90)) == NOW + timedelta(minutes=90)
        assert az.http("POST", "/_simulator/clock", {"advance": "P1D"}).body == {"now": "2026-03-11T07:30:00Z"}
        assert az.simulator.advance_to(NOW + timedelta(days=2)) == NOW + timedelta(days=2)


@pytest.mark.parametrize(
    "body",
    [{}, {"advance": "soon"}, {"to": "2026-03-10T05:00:00Z"}, {"advance": -1}, {"forward": 1}, {"advance": True}],
)
def test_the_clock_refuses_what_it_cannot_do(body: Document) -> None:
    with azure(SmallEstate()) as az:
        assert az.http("POST", "/_simulator/clock", body).status == 400
        assert az.simulator.now == NOW


def test_time_can_flow() -> None:
    with azure(SmallEstate(), flows=True) as az:
        az.http("GET", f"{ACCOUNT}?api-version=1")
        first = az.simulator.now
        az.http("GET", f"{ACCOUNT}?api-version=1")
        assert NOW <= first < az.simulator.now < NOW + HOUR


def test_the_settings_point_an_app_here() -> None:
    with azure(SmallEstate()) as az:
        told: dict[str, Any] = az.http("GET", "/_simulator/settings").body
        told.pop("workspaceId")
        settings = Settings.from_env(told)
        assert settings.dry_run
        assert (settings.cloud, settings.account, settings.workspace) == (az.simulator.url, ACCOUNT, WORKSPACE)
        assert SUBSCRIPTION in settings.subscriptions


def test_nobody_knows_the_truth_of_a_fleet_that_was_not_generated() -> None:
    with azure(SmallEstate()) as az:
        assert az.http("GET", "/_simulator/truth").status == 404
        assert az.http("GET", "/_simulator/health").body["status"] == "ok"


def test_a_body_that_is_not_json_is_refused() -> None:
    with azure(SmallEstate()) as az:
        reply = az.http("GET", "/_simulator/requests?since=x")
        assert reply.status == 400


def test_as_a_command_it_says_when_it_is_ready_and_ends_with_a_signal(tmp_path: Path) -> None:
    save_folder(SmallEstate().vm("web-01").fleet(), tmp_path / "fleet")
    file = tmp_path / "local.settings.json"
    command = [sys.executable, "-m", "simulator", "--fleet", str(tmp_path / "fleet"), "--settings", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert ready["ready"] is True
    values = json.loads(file.read_text("utf-8"))["Values"]
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert {name: values[name] for name in ready["settings"]} == ready["settings"]
    assert ready["settings"]["PATCHWRIGHT_CLOUD"] == ready["url"]
    assert values["DRY_RUN"] == "true"


def test_a_fleet_that_cannot_be_served_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--fleet", str(tmp_path)]) == 1
    assert capsys.readouterr().err.strip().count("\n") == 0
    assert main(["--machines", "0"]) == 1
    assert "at least one machine" in capsys.readouterr().err
