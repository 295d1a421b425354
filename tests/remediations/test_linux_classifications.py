"""What is done, and what is said, about classifications of Linux packages."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from model.deployments import same_deployment
from model.documents import at
from model.facts import Facts
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment
from model.states import FailureState
from remediations.advise_linux_pending import AdviseLinuxPending, command
from remediations.include_all_classifications import IncludeAllClassifications
from tests.builders import MINUTE, NOW, a_body, a_finding, a_machine, facts, update_deployment

CENT = a_machine("cent-01", os="Linux")
CLASSES = "properties.updateConfiguration.linux.includedPackageClassifications"


def world(classes: str = "Critical, Security", **body: Any) -> Facts:
    return facts(machines=[CENT], bodies=[a_body(machines=[CENT], classes=classes, **body)])


def a_caveat(centos: Sequence[str] = ("cent-01",), **evidence: Any) -> Finding:
    read: dict[str, Any] = {
        "machines": [*centos],
        "centos": [*centos],
        "machineCount": len(centos),
        "others": 0,
        "dynamic": False,
    }
    return a_finding(
        FailureState.LINUX_CLASSIFICATION_CAVEAT,
        update_deployment("Weekly").lower(),
        name="Weekly",
        evidence={**read, **evidence},
    )


def the_put(facts: Facts) -> PutDeployment:
    plan = IncludeAllClassifications().plan(a_caveat(), facts)
    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert isinstance(step, PutDeployment)
    return step


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Critical, Security", "Critical, Security, Other"),
        ("Other", "Other, Critical, Security"),
        ("unclassified,SECURITY", "unclassified, SECURITY, Critical, Other"),
    ],
)
def test_what_is_missing_is_added_to_what_is_there(before: str, after: str) -> None:
    assert at(the_put(world(before)).after, CLASSES) == after


def test_nothing_else_in_the_deployment_changes() -> None:
    step = the_put(world())
    change = same_deployment(step.before, step.after)
    assert change is not None
    assert change.field == CLASSES
    rest: Any = copy.deepcopy(step.after)
    rest["properties"]["updateConfiguration"]["linux"]["includedPackageClassifications"] = "Critical, Security"
    rest["properties"]["scheduleInfo"]["startTime"] = at(step.before, "properties.scheduleInfo.startTime")

    assert same_deployment(step.before, rest) is None


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        ({"others": 1}, "not known to have CentOS"),
        ({"dynamic": True}, "not known to have CentOS"),
        ({"machines": ["cent-01", "gov-01"]}, "not known to have CentOS"),
        ({"centos": [], "machines": ["cent-01"]}, "cloud that has no classifications"),
    ],
)
def test_whoever_can_tell_classifications_apart_keeps_them(evidence: dict[str, Any], why: str) -> None:
    answer = IncludeAllClassifications().plan(a_caveat(**evidence), world())

    assert isinstance(answer, Declined)
    assert why in answer.reason
    assert any("cent-01" in step for step in answer.advice.steps)


# Fifteen minutes are enough, fourteen are not.
@pytest.mark.parametrize(("ahead", "planned"), [(15 * MINUTE, True), (14 * MINUTE, False)])
def test_a_run_that_is_near_is_not_disturbed(ahead: timedelta, planned: bool) -> None:  # noqa: FBT001
    answer = IncludeAllClassifications().plan(a_caveat(), world(next_run=NOW + ahead))

    assert isinstance(answer, Plan) == planned


def test_the_end_of_centos_is_told() -> None:
    plan = IncludeAllClassifications().plan(a_caveat(), world())
    advice = IncludeAllClassifications().plan(a_caveat(others=1), world())

    assert isinstance(plan, Plan)
    assert "end of life" in plan.risk
    assert isinstance(advice, Declined)
    assert any("end of life" in step for step in advice.advice.steps)


@pytest.mark.parametrize(
    ("os_name", "says"),
    [
        ("Ubuntu", "apt-get -s dist-upgrade"),
        ("Debian GNU/Linux", "apt-get -s dist-upgrade"),
        ("SUSE Linux Enterprise Server", "zypper --non-interactive patch --category security --dry-run"),
        ("SLES", "zypper"),
        ("Red Hat Enterprise Linux", "yum -q --security check-update"),
        ("CentOS Linux", "yum"),
        ("", "yum"),
    ],
)
def test_each_package_manager_is_asked_in_its_own_words(os_name: str, says: str) -> None:
    assert says in command(os_name)


def test_pending_updates_get_advice_that_names_machines_and_packages() -> None:
    other = a_machine("sles-01", os="Linux")
    finding = a_finding(
        FailureState.LINUX_PENDING_VS_INSTALLED_DIFFER,
        update_deployment("Weekly").lower(),
        name="Weekly",
        evidence={
            "machines": [
                {"machine": CENT.id, "packages": 2, "example": "openssl", "os": "CentOS"},
                {"machine": other.id, "packages": 1, "example": "zlib", "os": "SLES"},
            ]
        },
    )

    advice = AdviseLinuxPending().plan(finding, facts(machines=[CENT, other])).advice

    assert "cent-01 (2 pending, such as openssl)" in advice.steps[0]
    assert "yum" in advice.steps[0]
    assert "sles-01 (1 pending, such as zlib)" in advice.steps[1]
    assert "zypper" in advice.steps[1]
    assert "Weekly" in advice.steps[2]
