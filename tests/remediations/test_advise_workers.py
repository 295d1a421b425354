"""What people are told where only they can end a failure state: which machine, which setting, which command."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from model.documents import Json
from model.plans import Declined
from remediations.advice import AdviceOnly
from remediations.advise_workers import (
    AdviseCrossTenant,
    AdviseDuplicateName,
    AdviseFailedToEnable,
    AdviseHybridAgentEvent4502,
    AdviseLinuxWorkerConflict,
    AdviseRegisteredElsewhere,
    AdviseRegistrationBlocked,
    AdviseRegistrationForbidden,
    AdviseSignalrTimeout,
    AdviseWorkerJobLimit,
)
from tests.builders import WORKSPACE_GUID, a_body, a_finding, a_machine, facts, guid

WEB, SQL = a_machine("web-01", group="RG-Web"), a_machine("sql-01", group="RG-Data")
API = a_machine("api-01", os="Linux")
WORLD = facts(machines=[WEB, SQL, API], bodies=[a_body()])

CASES: list[tuple[AdviceOnly, Mapping[str, Json], list[str]]] = [
    # who advises, the evidence, what a person has to be told at least
    (
        AdviseHybridAgentEvent4502(),
        {"text": "Object reference not set"},
        ["Object reference not set", r"SMA\Sandboxes", "Restart-Service HealthService"],
    ),
    (
        AdviseRegisteredElsewhere(),
        {"computer": "web-01.contoso.com"},
        ["web-01.contoso.com_<guid>", "law", WORKSPACE_GUID, "Never delete a group of type User", "reg export"],
    ),
    (
        AdviseCrossTenant(),
        {"machines": ["/m/1", "/m/2"], "machineCount": 60, "tenant": "ours", "subscriptions": {"sub-9": "theirs"}},
        ["/m/1, /m/2 and 58 more", "nonAzureComputerNames", "sub-9 of tenant theirs", "tenant ours", "exactly one"],
    ),
    (
        AdviseDuplicateName(),
        {"sharedWith": [SQL.id], "computer": "dup.contoso.com"},
        [SQL.arm_id, "dup.contoso.com", "Rename-Computer"],
    ),
    (AdviseDuplicateName(), {"sharedWith": []}, ["out of reach"]),
    (
        AdviseRegistrationBlocked(),
        {},
        [f"{WORKSPACE_GUID}.oms.opinsights.azure.com:443", "Test-NetConnection", "31 August 2024"],
    ),
    (AdviseRegistrationBlocked(cloud="usgovernment"), {}, [f"{WORKSPACE_GUID}.agentsvc.azure-automation.us"]),
    (
        AdviseFailedToEnable(),
        {"computers": ["a", "b"], "text": "why"},
        ["Concerned: a, b. It says: why", "MicrosoftDefaultScopeConfig-Updates", "Remove-HybridRunbookWorker"],
    ),
    (AdviseRegistrationForbidden(), {}, ["w32tm /query /status", "15 minutes", WORKSPACE_GUID, "gateway"]),
    (AdviseSignalrTimeout(), {}, ["same subscription", "azure-automation.net"]),
    (AdviseWorkerJobLimit(), {"deployments": ["weekly", "nightly"]}, ["Move the start of weekly, nightly"]),
    (AdviseLinuxWorkerConflict(), {}, ["/home/nxautomation/state/worker.conf_old", "worker_diy.key", "--purge"]),
]


@pytest.mark.parametrize(("adviser", "evidence", "told"), CASES, ids=[case[0].id for case in CASES])
def test_a_person_is_told_exactly_what_to_do_where(
    adviser: AdviceOnly, evidence: Mapping[str, Json], told: list[str]
) -> None:
    answer = adviser.plan(a_finding(adviser.fixes, WEB.id, name="web-01", evidence=evidence), WORLD)

    assert isinstance(answer, Declined)
    text = "\n".join(answer.advice.steps)
    assert [part for part in told if part not in text] == []
    assert "http" not in text.replace("https://docs", "") or "curl" in text  # a link is no advice
    assert WEB.arm_id in text or "Concerned" in text


@pytest.mark.parametrize(("adviser", "evidence", "told"), CASES, ids=[case[0].id for case in CASES])
def test_advice_needs_no_right_and_no_document(
    adviser: AdviceOnly, evidence: Mapping[str, Json], told: list[str]
) -> None:
    assert adviser.permissions == frozenset()
    assert adviser.needs(a_finding(adviser.fixes, WEB.id), WORLD) == frozenset()


@pytest.mark.parametrize(("adviser", "evidence", "told"), CASES, ids=[case[0].id for case in CASES])
def test_evidence_that_is_missing_breaks_nothing(
    adviser: AdviceOnly, evidence: Mapping[str, Json], told: list[str]
) -> None:
    odd: dict[str, Json] = dict.fromkeys(evidence, 7)

    for wrong in ({}, odd):
        assert isinstance(adviser.plan(a_finding(adviser.fixes, f"name:{guid('x')}", evidence=wrong), WORLD), Declined)


def test_linux_has_commands_of_its_own() -> None:
    adviser = AdviseRegistrationBlocked()
    answer = adviser.plan(a_finding(adviser.fixes, API.id, name="api-01"), WORLD)

    text = "\n".join(answer.advice.steps)
    assert "service_control restart" in text
    assert "HealthService" not in text
