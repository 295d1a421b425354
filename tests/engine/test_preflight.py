"""Before anything acts: may the identity that writes do what the plans need?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from engine.ports import AzureUnavailable, PermissionMissing, RequestCount
from model.permissions import Permission
from model.states import FailureState, Outcome
from tests.builders import MINUTE, SUBSCRIPTION
from tests.engine.conftest import App

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
WRITE_DEPLOYMENT = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations/write"


@dataclass(slots=True)
class Granted:
    """Implements `Rights`: what is granted, by scope; or what is raised instead."""

    roles: dict[str, tuple[Permission, ...] | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: RequestCount = field(default_factory=RequestCount)

    def granted(self, scope: str) -> tuple[Permission, ...]:
        self.asked.append(scope)
        self.requests.read += 1
        found = self.roles.get(scope, ())
        if isinstance(found, Exception):
            raise found
        return found


def the_app(**roles: Any) -> tuple[App, Granted]:
    app = App()
    rights = Granted(roles={SCOPE: roles["subscription"], **roles.get("others", {})})
    app.engine = replace(app.engine, rights=rights)
    return app, rights


def reasons(app: App, run: str) -> dict[str, str]:
    return {str(one["finding"]): f"{one['outcome']}: {one['reason']}" for one in app.document(run)["outcomes"]}


def test_what_may_be_done_is_done() -> None:
    """One request for the subscription, whatever the number of plans and looks."""
    app, rights = the_app(subscription=(Permission(actions=("Microsoft.Automation/*",)),))
    app.late()
    app.unregistered()

    run = app.sweep(states=[FailureState.MAINTENANCE_WINDOW_EXCEEDED, FailureState.AUTOMATION_RP_NOT_REGISTERED])

    assert set(app.outcomes(run).values()) == {"remediated"}
    assert rights.asked == [SCOPE]


def test_what_is_missing_is_named_with_its_scope_and_that_state_only_observed() -> None:
    """Nothing is written for it; the other state is treated."""
    app, _ = the_app(subscription=(Permission(actions=("*",), not_actions=(WRITE_DEPLOYMENT,)),))
    late, provider = app.late(), app.unregistered()

    run = app.sweep(states=[FailureState.MAINTENANCE_WINDOW_EXCEEDED, FailureState.AUTOMATION_RP_NOT_REGISTERED])

    told = reasons(app, run)
    assert told[provider].startswith("remediated")
    assert told[late].startswith(f"refused: preflight: the writer's identity lacks {WRITE_DEPLOYMENT} on {SCOPE}")
    assert app.hand.writes == ["register Microsoft.Automation"]


def test_a_role_at_the_resource_group_is_enough() -> None:
    """Asked for only where the subscription's answer is not enough."""
    app, rights = the_app(subscription=())
    app.late()
    (group,) = {f"{SCOPE}/resourceGroups/{id_.split('/')[4]}" for id_ in app.world.bodies}
    rights.roles[group] = (Permission(actions=(WRITE_DEPLOYMENT,)),)

    run = app.sweep()

    assert set(app.outcomes(run).values()) == {"remediated"}
    assert rights.asked == [SCOPE, group]


@pytest.mark.parametrize(
    "error", [AzureUnavailable("429"), PermissionMissing("Microsoft.Authorization/permissions/read")]
)
def test_what_cannot_be_told_holds(error: Exception) -> None:
    app, rights = the_app(subscription=error)
    app.late()
    rights.roles |= {f"{SCOPE}/resourceGroups/{id_.split('/')[4]}": error for id_ in app.world.bodies}

    run = app.sweep()

    assert set(app.outcomes(run).values()) == {Outcome.HELD.value}
    assert f"preflight: what the writer may do could not be read: {error}" in app.reason(run)
    assert app.hand.asked == []


def test_a_dry_run_asks_nothing() -> None:
    app, rights = the_app(subscription=())
    key = app.late()

    run = app.plan()

    assert app.outcomes(run) == {key: "observed"}
    assert rights.asked == []


def test_a_saved_plan_is_checked_before_it_is_applied() -> None:
    """Also where the role was taken away since the plan was made: an answer is believed for a quarter of an hour."""
    app, rights = the_app(subscription=(Permission(actions=("*",)),))
    key = app.late()
    run = app.plan()
    rights.roles[SCOPE] = ()

    app.apply(run)

    assert app.outcomes(run) == {key: "refused"}
    rights.roles[SCOPE] = (Permission(actions=("*",)),)
    app.apply(run)
    assert app.outcomes(run) == {key: "refused"}
    app.clock.sleep_until(app.clock.now() + 16 * MINUTE)
    app.apply(run)
    assert app.outcomes(run) == {key: "remediated"}


def test_saving_a_deployment_takes_a_right_on_the_machine_too() -> None:
    app, _ = the_app(subscription=(Permission(actions=(WRITE_DEPLOYMENT,)),))
    key = app.renamed()

    run = app.sweep()

    assert app.outcomes(run) == {key: "refused"}
    assert "lacks Microsoft.Compute/virtualMachines/write on" in app.reason(run)
