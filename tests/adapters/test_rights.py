"""The reader's role against the requests that sweeps really send: every one is covered, action by action."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from composition import build
from engine.requests import SweepRequest
from engine.settings import Settings
from simulator.fleets import generate
from simulator.options import Options
from simulator.serve import running

ROOT = Path(__file__).parents[2]
ROLE = frozenset(
    action.lower() for action in json.loads((ROOT / "infra" / "generated" / "reader-role.json").read_text())["actions"]
)
_ELSEWHERE = re.compile(r"/v1/(workspaces/[^/]+/query|\$batch)$")


def action_of(method: str, path: str) -> str:
    """The action that Azure asks for, from how a request's path is made: `Microsoft.X/kind/sub/read`, lower-case."""
    path = path.partition("?")[0].lower().rstrip("/")
    if _ELSEWHERE.search(path):
        return "microsoft.operationalinsights/workspaces/query/read"
    if path == "/providers/microsoft.resourcegraph/resources":
        return "microsoft.resourcegraph/resources/read"
    assert method == "GET", f"{method} {path} is no reading"
    _, provider, rest = path.rpartition("/providers/")
    if provider and "/" in rest:
        namespace, *parts = rest.split("/")
        return "/".join([namespace, *parts[::2], "read"])
    if provider:
        return "microsoft.resources/subscriptions/providers/read"
    return f"microsoft.resources/{'/'.join(rest.strip('/').split('/')[::2])}/read"


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "/subscriptions?api-version=2022-12-01", "microsoft.resources/subscriptions/read"),
        ("GET", "/subscriptions/s/providers/Microsoft.Automation", "microsoft.resources/subscriptions/providers/read"),
        (
            "GET",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Automation/automationAccounts/a/jobs/j/output",
            "microsoft.automation/automationaccounts/jobs/output/read",
        ),
        ("POST", "/v1/$batch", "microsoft.operationalinsights/workspaces/query/read"),
    ],
)
def test_a_request_needs_the_action_that_its_path_names(method: str, path: str, action: str) -> None:
    assert action_of(method, path) == action


def test_a_sweep_needs_nothing_that_the_reader_s_role_does_not_allow(tmp_path: Path) -> None:
    """All states at once, over an estate with so many of them that suspects are looked at closely, too."""
    estate = generate(machines=120, seed=7, injured=0.2)
    with running(estate, options=Options(retry_after=0)) as azure:
        settings = Settings.from_env({**azure.settings, "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'ledger'}"})
        engine = build(settings)
        engine.activities["survey"](SweepRequest(run="20260310T060000-rights", trigger="cli").document)
        asked = {(str(one["method"]), str(one["path"])) for one in azure.requests()}
    needed = {action_of(method, path) for method, path in asked if "/_simulator/" not in path}
    assert len(needed) > 15
    assert needed - ROLE == set()
