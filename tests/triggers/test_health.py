"""What an app tells whose settings are wrong or whose parts do not answer."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from devhost.host import running
from model.documents import list_at
from simulator.fleets import sample
from simulator.serve import Simulator
from simulator.serve import running as running_azure
from tests.triggers.app import App, the_app

ROUTES: Final = (
    ("POST", "/sweeps"),
    ("GET", "/runs"),
    ("GET", "/runs/x"),
    ("POST", "/runs/x/apply"),
    ("POST", "/alerts"),
    ("GET", "/states"),
)


def test_an_app_that_is_set_up_says_that_it_is_ready(locked: App) -> None:
    """And whether anything could be applied."""
    answer = locked.get("/health")

    assert (answer.status, answer.json) == (200, {"status": "ready", "dryRun": True})


def test_settings_that_are_missing_are_named_all_at_once() -> None:
    with running({}) as host:
        answer = App(host).get("/health")

    assert answer.status == 503
    named = [str(problem).split(":")[0] for problem in list_at(answer.json, "problems")]
    assert named == ["PATCHWRIGHT_SUBSCRIPTIONS", "PATCHWRIGHT_AUTOMATION_ACCOUNTS", "PATCHWRIGHT_WORKSPACES"]


def test_settings_that_are_wrong_are_named_without_their_values(azure: Simulator, tmp_path: Path) -> None:
    """Health is open to everyone, and a secret may stand in the wrong place."""
    secret = "AccountKey=c2VjcmV0"
    wrong = {
        "DRY_RUN": secret,
        "PATCHWRIGHT_CLOUD": secret,
        "PATCHWRIGHT_MODES": f'{{"{secret}": "act", "source-id-changed": "{secret}"}}',
        "PATCHWRIGHT_MAX_MACHINES": secret,
        "PATCHWRIGHT_COOL_DOWN": f"it's \\' {secret}",
        "PATCHWRIGHT_WRITER_CLIENT_ID": secret,
        "SWEEP_SCHEDULE": secret,
        "PATCHWRIGHT_NO_SUCH": secret,
    }
    with running({**azure.settings, "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'l'}", **wrong}) as host:
        app = App(host)
        answers = [app.get("/health"), app.get("/runs"), app.post("/sweeps", {})]

    assert [answer.status for answer in answers] == [503, 503, 503]
    for answer in answers:
        assert "c2VjcmV0" not in answer.text
        assert {str(problem).split(":")[0] for problem in list_at(answer.json, "problems")} == set(wrong)


def test_contradictory_schedules_and_ledgers_are_named(azure: Simulator, tmp_path: Path) -> None:
    for name, value in (("SWEEP_SCHEDULE", "0 0 2 30 2 99"), ("PATCHWRIGHT_LEDGER", "redis://x:secret@y")):
        with running({**azure.settings, "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'l'}", name: value}) as host:
            answer = App(host).get("/health")
        assert answer.status == 503
        (problem,) = list_at(answer.json, "problems")
        assert str(problem).startswith(f"{name}:")
        assert "secret" not in answer.text


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_settings_every_other_call_says_the_same(method: str, path: str) -> None:
    with running({}) as host:
        answer = App(host).send(method, path)

    assert answer.status == 503
    assert len(list_at(answer.json, "problems")) == 3


def test_a_problem_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often the app is asked."""
    with running({}) as host:
        for _ in range(3):
            App(host).get("/health")

    told = [record for record in caplog.records if record.message == "not ready" and record.levelno == logging.ERROR]
    assert len(told) == 3, "one line for each of the three missing settings"


def test_a_ledger_that_is_none_makes_the_app_not_ready(azure: Simulator, tmp_path: Path) -> None:
    """And ready again once somebody has put it right, without a restart."""
    file = tmp_path / "ledger.sqlite"
    file.write_text("this is not a database, and long enough to be taken for one " * 100, encoding="utf-8")
    with the_app(azure, file) as app:
        assert app.get("/health").status == 503
        assert app.post("/sweeps", {}).status == 503
        file.unlink()
        assert app.get("/health").status == 200


def test_where_azure_does_not_answer_the_app_says_when_to_come_again(tmp_path: Path) -> None:
    """503 with Retry-After, and a sentence instead of a trace."""
    with ExitStack() as later:
        with running_azure(sample()) as azure:
            app = later.enter_context(the_app(azure, tmp_path / "ledger.sqlite"))
            assert app.get("/health").status == 200
        answer = app.post("/sweeps", {})

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "Traceback" not in answer.text
