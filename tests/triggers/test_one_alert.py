"""One alert is one treatment, however often, in whatever order and to however many at once it is delivered."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.documents import Document, text_at
from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, Answer, objects, the_app, writes
from tests.triggers.payloads import an_alert

STATE = "automation-rp-not-registered"
AT_ONCE = 16
"""Connections that are open at one time; the rest follows as they close."""


@pytest.fixture(params=["sqlite", "tables"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'ledger.sqlite'}"
    connection_string: str = request.getfixturevalue("azurite")
    return connection_string


def test_an_alert_that_comes_a_hundred_times_is_treated_once(azure: Simulator, tmp_path: Path, ledger: str) -> None:
    """
    A hundred deliveries in parallel, in between that the alert is resolved, every activity twice, and the same alert
    again when all is over: one sweep, one repair of each finding, one line for each step.
    """
    properties = {"patchwright.state": STATE, "nonce": uuid.uuid4().hex}
    fired = an_alert(azure.settings["PATCHWRIGHT_WORKSPACES"], properties=properties)
    resolved = _resolved(fired)
    order = [fired] * 100 + [resolved] * 20
    random.Random(7).shuffle(order)

    settings = {**UNLOCKED, "PATCHWRIGHT_MODES": f'{{"{STATE}": "act"}}', "PATCHWRIGHT_LEDGER": ledger}
    with the_app(azure, tmp_path / "unused.sqlite", settings, deliveries=2) as app:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers: list[Answer] = list(pool.map(lambda alert: app.post("/alerts", alert), order))
        app.finish()
        again = app.post("/alerts", fired)
        app.finish()

        started = [answer.id for answer in answers if answer.status == 202]
        assert Counter(answer.status for answer in answers) == {202: 1, 200: 119}
        assert (again.status, again.id) == (200, started[0])
        assert [one.name for one in app.instances].count("sweep") == 1
        run = app.run(started[0])
        findings = {text_at(finding, "key") for finding in objects(run, "findings")}
        done = [text_at(step, "finding") for step in objects(run, "steps") if step["event"] == "done"]
        assert sorted(done) == sorted(findings) != []
        assert len(writes(azure)) == len(findings)


def _resolved(alert: Document) -> Document:
    data = alert["data"]
    assert isinstance(data, dict)
    essentials = data["essentials"]
    assert isinstance(essentials, dict)
    return {**alert, "data": {**data, "essentials": {**essentials, "monitorCondition": "Resolved"}}}
