"""An app whose settings are well formed and whose Azure is not as they say: health names it, and sweeps are unknown."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters import access
from model.documents import Document, list_at
from simulator.serve import Simulator
from tests.triggers.app import App, objects, the_app

FORBIDDEN: Document = {"kind": "error", "status": 403, "code": "AuthorizationFailed"}
ABSENT: Document = {"kind": "error", "status": 404, "code": "ResourceNotFound"}
ELSEWHERE: Document = {"kind": "error", "status": 401, "code": "InvalidAuthenticationTokenTenant"}

ACCOUNT = r"/automationAccounts/[^/?]+\?"
WORKSPACE = r"/workspaces/[^/?]+\?"
LOGS = r"/v1/"
SUBSCRIPTIONS = r"^/subscriptions\?"

IDS = re.compile(r"/subscriptions/|[0-9a-f]{8}-[0-9a-f]{4}", re.IGNORECASE)


@pytest.mark.parametrize(
    ("fault", "path", "said"),
    [
        (ABSENT, ACCOUNT, "the Automation account of PATCHWRIGHT_AUTOMATION_ACCOUNTS does not exist"),
        (FORBIDDEN, ACCOUNT, "the Automation account of PATCHWRIGHT_AUTOMATION_ACCOUNTS may not be read"),
        (ELSEWHERE, ACCOUNT, "the Automation account of PATCHWRIGHT_AUTOMATION_ACCOUNTS belongs to another tenant"),
        (ABSENT, WORKSPACE, "the workspace of PATCHWRIGHT_WORKSPACES does not exist"),
        (FORBIDDEN, WORKSPACE, "the workspace of PATCHWRIGHT_WORKSPACES may not be read"),
        (ELSEWHERE, WORKSPACE, "the workspace of PATCHWRIGHT_WORKSPACES belongs to another tenant"),
        (FORBIDDEN, LOGS, "the logs of the workspace of PATCHWRIGHT_WORKSPACES do not answer"),
        (FORBIDDEN, SUBSCRIPTIONS, "the list of subscriptions may not be read"),
    ],
)
def test_health_names_what_cannot_be_read(
    fault: Document, path: str, said: str, azure: Simulator, tmp_path: Path
) -> None:
    """By the setting that names it, and without an id: everybody may ask."""
    azure.order({**fault, "path": path})
    with the_app(azure, tmp_path / "ledger.sqlite") as app:
        answer = app.get("/health")

    assert answer.status == 503
    (problem,) = list_at(answer.json, "problems")
    assert str(problem).startswith(said)
    assert not IDS.search(answer.text)


def test_a_subscription_that_the_reader_does_not_see_is_told(azure: Simulator, tmp_path: Path) -> None:
    more = f"{azure.settings['PATCHWRIGHT_SUBSCRIPTIONS']},00000000-0000-0000-0000-000000000001"
    with the_app(azure, tmp_path / "ledger.sqlite", {"PATCHWRIGHT_SUBSCRIPTIONS": more}) as app:
        answer = app.get("/health")

    assert answer.status == 503
    assert re.search(r"1 of \d+ of PATCHWRIGHT_SUBSCRIPTIONS cannot be seen", answer.text)
    assert not IDS.search(answer.text)


def test_a_role_that_comes_into_force_makes_the_app_ready(
    azure: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart; meanwhile one look answers all who ask."""
    monkeypatch.setattr(access, "BAD_FOR", 0.5)
    azure.order({**FORBIDDEN, "path": WORKSPACE})
    with the_app(azure, tmp_path / "ledger.sqlite") as app:
        assert app.get("/health").status == 503
        asked = len(azure.requests())
        assert [app.get("/health").status for _ in range(3)] == [503, 503, 503]
        assert len(azure.requests()) == asked

        azure.clear_faults()
        time.sleep(0.6)
        assert app.get("/health").status == 200


MISSING: Mapping[str, Document] = {
    "an account that does not exist": {**ABSENT, "path": r"/automationAccounts/"},
    "a workspace that does not exist": {**ABSENT, "path": r"/workspaces/"},
    "a workspace of another tenant": {**ELSEWHERE, "path": r"/workspaces/"},
    "a role that is not yet in force": {**FORBIDDEN, "path": r"."},
}


@pytest.mark.parametrize("case", MISSING)
def test_what_cannot_be_read_is_unknown_and_not_healthy(case: str, azure: Simulator, locked: App) -> None:
    """A sweep completes, finds nothing that it could not see, and says of which states it could not tell, and why."""
    azure.order(MISSING[case])
    run = locked.swept()

    listed = objects(locked.get("/states").json, "states")
    states = {str(one["id"]) for one in listed if one["mode"] != "off"}
    unknown = {str(one["state"]) for one in objects(run, "unknown")}
    found = {str(one["state"]) for one in objects(run, "findings")}
    assert run["status"] == "completed"
    assert unknown, "nothing is said of what could not be read"
    assert all(one["missing"] for one in objects(run, "unknown"))
    if case == "a role that is not yet in force":
        assert unknown >= states
        assert found == set()


def test_regions_that_cannot_be_linked_are_told() -> None:
    """Only where Azure does not say itself that account and workspace are linked."""
    look = access.AzureAccess.__new__(access.AzureAccess)
    look._account, look._workspace = "/account", "/workspace"
    links = {"id": "/elsewhere"}
    look._arm = type("Arm", (), {"get": staticmethod(lambda path: links)})()

    def apart(here: str, there: str) -> list[str]:
        return list(look._apart({"location": here}, {"location": there}))

    assert apart("westeurope", "West Europe") == []
    assert apart("eastus", "eastus2") == []
    (said,) = apart("westeurope", "northeurope")
    assert "is in northeurope, the account in westeurope: Azure links them only within a region" in said
    links["id"] = "/workspace"
    assert apart("westeurope", "northeurope") == []
