"""No secret in logs, records, answers, on terminals or pages, wherever one was planted."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from azure.core.credentials import AccessToken
from rich.console import Console

import composition
from adapters.clients import Clients
from adapters.steps.scripts import MARK, _ended
from cli.page import page
from cli.sheet import Sheet
from cli.terminal import write_run
from cli.view import run_view
from engine.settings import Settings
from model.documents import Document, Json
from model.secrets import HIDDEN
from model.states import Mode
from simulator import app as simulated
from simulator.app import SimulatedAzure
from simulator.fleet import Fleet
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from simulator.web import Answer, Call
from tests.cli.test_sweep import objects
from tests.round_trip.estate import suffering
from tests.support.modes import few
from tests.triggers.app import JSON, UNLOCKED, App, the_app

CANARY: Final = "Q2FuYXJ5"
"""Part of every secret that is planted here, and of nothing else."""
KEY: Final = f"{CANARY}AccountKey0123456789=="
CONNECTION: Final = f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net"
TOKEN: Final = f"eyJhbGciOiJub25lIn0.{CANARY}Token0123456789.{CANARY}"
FUNCTION_KEY: Final = f"{CANARY}FunctionKey"
SAID: Final = (
    f"E: Failed to fetch https://deploy:{CANARY}@packages.contoso.com/apt; password={CANARY}; "
    f"https://a.blob.core.windows.net/c?sig={CANARY}&sv=1; Authorization: Bearer {TOKEN}"
)
"""What a machine or a service may say of an error."""
SETTINGS: Final = {
    "AzureWebJobsStorage": CONNECTION,
    "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={CANARY}",
    "AZURE_CLIENT_SECRET": CANARY,
}
MODES: Final = json.dumps({**json.loads(few(Mode.ACT)), "linux-run-failed": "observe"})
WITH_KEYS: Final = {"x-functions-key": FUNCTION_KEY, "Authorization": f"Bearer {TOKEN}", "Cookie": f"s={CANARY}"}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Every log record of every library, with all its fields and traces, down to the finest level."""
    caplog.set_level(logging.DEBUG)
    formatter = logging.Formatter()

    def everything() -> str:
        return "\n".join(f"{formatter.format(record)} {record.__dict__!r}" for record in caplog.records)

    return everything


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The app with a real credential's token in each request; answers the authorizations that arrived."""
    arrived: list[str] = []
    taken = SimulatedAzure._logged

    class Credential:
        def get_token(self, *scopes: str, **_: object) -> AccessToken:
            return AccessToken(TOKEN, 4_000_000_000)

    def also_here(self: SimulatedAzure, call: Call) -> Document:
        arrived.append(call.headers.get("authorization", ""))
        return taken(self, call)

    monkeypatch.setattr(SimulatedAzure, "_logged", also_here)
    monkeypatch.setattr(Clients, "_credential", Credential())
    # azure-core sends no token over plain HTTP; the simulated Azure has nothing else.
    monkeypatch.setattr("azure.core.pipeline.policies._authentication._enforce_https", lambda request: None)
    return arrived


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Azure that repeats secrets in whatever it refuses."""
    answered = simulated._response

    def tells(answer: Answer) -> Any:
        body: Json = answer.body if not isinstance(answer.body, str) else None
        if answer.status >= 400 and isinstance(body, dict):
            for said in (body, body.get("error")):
                if isinstance(said, dict) and "message" in said:
                    said["message"] = f"{said['message']} {SAID}"
        return answered(answer)

    monkeypatch.setattr(simulated, "_response", tells)


def complaining() -> Fleet:
    """An estate in which jobs and machines complain with passwords."""
    fleet = suffering()
    for document in fleet.documents:
        if isinstance(output := document.get("output"), str):
            document["output"] = output.replace("Failed to fetch", SAID).replace("error:", f"{SAID} error:")
    return fleet


def kept(folder: Path) -> str:
    """Every byte that was written."""
    return "\n".join(file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())


def shown(run: Document) -> str:
    """A run on a terminal and as a page."""
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True, color_system=None, markup=False, highlight=False)
    write_run(Sheet(console), run_view(run))
    return out.getvalue() + page(run)


def test_a_run_keeps_and_tells_no_secret(
    signed_in: list[str],
    telling: None,
    logged: Callable[[], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    Keys in the settings, a token in each request to Azure, keys and cookies in each request to the app, and an Azure
    and a machine whose errors repeat passwords: looked for in logs, ledger, answers, on terminal and page.
    """
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    with running(complaining(), options=Options(retry_after=0)) as azure:
        azure.order(
            {
                "kind": "error",
                "status": 403,
                "code": "AuthorizationFailed",
                "path": r"/Microsoft\.Automation\?",
            },
            {"kind": "query-fails", "status": 400, "code": "BadArgumentError", "nth": [2]},
            {"kind": "error", "status": 400, "code": "Bad", "method": "PUT", "path": "softwareUpdateConfigurations"},
        )
        with the_app(azure, ledger / "l.sqlite", {**UNLOCKED, **SETTINGS, "PATCHWRIGHT_MODES": MODES}) as app:
            answers = [said(app, path) for path in ("/health", "/states", "/runs?code=" + FUNCTION_KEY)]
            started = app.send("POST", "/sweeps", b'{"dry_run": false}', {**JSON, **WITH_KEYS})
            app.finish()
            run = app.run(started.id)
            answers += [said(app, f"/runs/{started.id}"), said(app, "/audit"), said(app, "/approvals")]
            answers.append(app.send("POST", "/alerts", SAID.encode(), JSON).text)

    told = "\n".join(answers)
    assert any(f"Bearer {TOKEN}" == header for header in signed_in), "no token was sent at all"
    assert HIDDEN in told, "nothing of what Azure said was told"
    assert objects(run, "outcomes")
    assert HIDDEN in json.dumps(run["findings"]), "no finding quotes what a job said"
    for what in (told, kept(ledger), logged(), shown(run), "".join(capsys.readouterr())):
        assert CANARY not in what


def said(app: App, path: str) -> str:
    return app.send("GET", path, None, WITH_KEYS).text


def test_a_script_s_last_words_are_told_without_secrets() -> None:
    """What a script reports, or complains of, goes into the record of its step."""
    complaint = _ended(_command("failed", 1, output="", error=SAID))
    refusal = _ended(_command("succeeded", 0, output=MARK + json.dumps({"outcome": "refused", "reason": SAID})))
    report = _ended(_command("succeeded", 0, output=MARK + json.dumps({"outcome": "done", "proxies": [SAID]})))

    for ended in (complaint, refusal, report):
        assert HIDDEN in json.dumps(ended)
        assert CANARY not in json.dumps(ended)


def _command(state: str, code: int, *, output: str, error: str = "") -> Document:
    view: Document = {"executionState": state, "exitCode": code, "output": output, "error": error}
    return {"name": "pw", "properties": {"provisioningState": "Succeeded", "instanceView": view}}


WRONG: Final = [
    {"PATCHWRIGHT_LEDGER": f"mysql://root:{CANARY}@db/x"},
    {"PATCHWRIGHT_LEDGER": f"DefaultEndpointsProtocol=https;AccountKey={KEY}"},
    {
        "PATCHWRIGHT_LEDGER": f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={KEY};TableEndpoint=http://127.0.0.1:9/a;"
    },
    {"PATCHWRIGHT_MODES": CONNECTION, "DRY_RUN": CONNECTION, "PATCHWRIGHT_COOL_DOWN": CONNECTION},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: ", ".join(wrong) + f" {len(str(wrong))}")
def test_a_secret_in_the_wrong_setting_is_not_repeated(
    wrong: dict[str, str], logged: Callable[[], str], tmp_path: Path
) -> None:
    """Neither in an answer nor in the log; only the setting is named."""
    with running(sample()) as azure, the_app(azure, tmp_path / "l.sqlite", wrong) as app:
        answers = [app.get("/health"), app.get("/runs"), app.post("/sweeps", {})]

    assert {answer.status for answer in answers} == {503}
    assert CANARY not in "\n".join(answer.text for answer in answers)
    assert CANARY not in logged()


@pytest.mark.parametrize("wrong", WRONG[:3], ids=lambda wrong: str(len(str(wrong))))
def test_a_command_line_repeats_none_either(
    wrong: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)

    status = composition.main(["runs"])

    assert status in {1, 2}
    assert CANARY not in "".join(capsys.readouterr())


def test_settings_do_not_show_a_ledger_s_key() -> None:
    """Also where somebody prints them."""
    settings = Settings(subscriptions=("s",), account="a", workspace="w", ledger=CONNECTION)

    assert CANARY not in repr(settings)
