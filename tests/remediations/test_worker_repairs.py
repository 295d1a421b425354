"""What is mended inside a machine so that its worker can register: rights, TLS 1.2, the clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from model.documents import Document, Json
from model.facts import Facts, Machine, PowerState
from model.findings import Finding
from model.plans import Declined, Plan, RunScript
from model.states import FailureState, Impact
from remediations.enable_tls12 import EnableTls12
from remediations.grant_machine_keys import GrantMachineKeys
from remediations.protocol import Remediation
from remediations.resync_clock import ResyncClock
from tests.builders import WORKSPACE_GUID, a_finding, a_machine, an_instance_view, facts
from tests.remediations.test_scripts import FOLDER, parameters

WEB, API = a_machine("web-01", group="RG-Web"), a_machine("api-01", os="Linux")

REPAIRS: list[tuple[Remediation, Mapping[str, Json], str, str | None]] = [
    # the repair, the evidence that calls for it, its script, the script that undoes it
    (EnableTls12(), {"cause": "no-common-algorithm"}, "windows/enable-tls12.ps1", "windows/restore-tls12.ps1"),
    (GrantMachineKeys(), {}, "windows/grant-machine-keys.ps1", "windows/restore-machine-keys.ps1"),
    (ResyncClock(), {"aheadSeconds": 3600}, "windows/resync-clock.ps1", None),
]
repairs = pytest.mark.parametrize(
    ("repair", "evidence", "script", "undo"), REPAIRS, ids=[repair.id for repair, *_ in REPAIRS]
)


def a_case(repair: Remediation, evidence: Mapping[str, Json], machine: Machine = WEB) -> Finding:
    return a_finding(repair.fixes, machine.id, name=machine.name, evidence=evidence)


def world(
    machine: Machine | None = WEB, *, agent: str | None = "ProvisioningState/succeeded", gone: bool = False
) -> Facts:
    machines = [machine] if machine else []
    views: list[Document] = [] if gone else [an_instance_view(m, agent=agent) for m in machines]
    return facts(machines=machines, views=views)


def planned(repair: Remediation, finding: Finding, read: Facts) -> Plan:
    answer = repair.plan(finding, read)
    assert isinstance(answer, Plan)
    return answer


@repairs
def test_the_plan_is_one_script_on_the_machine_itself(
    repair: Remediation, evidence: Mapping[str, Json], script: str, undo: str | None
) -> None:
    (step,) = planned(repair, a_case(repair, evidence), world()).steps

    assert isinstance(step, RunScript)
    assert (step.machine, step.location, step.script, step.undo_script) == (WEB.arm_id, "westeurope", script, undo)
    assert list(step.parameters) == ["StepId"] == parameters(FOLDER / script)
    assert re.fullmatch("[0-9a-f]{16}", step.parameters["StepId"])


@repairs
def test_the_same_repair_of_the_same_finding_has_the_same_plan(
    repair: Remediation, evidence: Mapping[str, Json], script: str, undo: str | None
) -> None:
    """A second look makes the same plan, also where the complaints have become more."""
    first = planned(repair, a_case(repair, {"times": 3, **evidence}), world())
    again = planned(repair, a_case(repair, {"times": 9, **evidence}), world())

    assert first.steps == again.steps


@pytest.mark.parametrize(("repair", "evidence"), [row[:2] for row in REPAIRS], ids=[row[0].id for row in REPAIRS])
@pytest.mark.parametrize(
    ("read", "why"),
    [
        (world(replace(WEB, is_arc=True)), "virtual machines of Azure only"),
        (world(None), "virtual machines of Azure only"),
        (world(replace(WEB, os="")), "unknown system"),
        (world(replace(WEB, power=PowerState.DEALLOCATED)), "it is deallocated"),
        (world(replace(WEB, power=PowerState.UNKNOWN)), "it is unknown"),
        (world(agent=None), "guest agent is not ready"),
        (world(agent="ProvisioningState/Unavailable"), "guest agent is not ready"),
        (world(gone=True), "does not exist any more"),
        (replace(world(), unreadable=facts(unreadable={WEB.id: "429"}).unreadable), "could not be read: 429"),
    ],
)
def test_a_machine_that_takes_no_script_is_left_to_a_person_who_is_told_what_to_do_there(
    repair: Remediation, evidence: Mapping[str, Json], read: Facts, why: str
) -> None:
    answer = repair.plan(a_case(repair, evidence), read)

    assert isinstance(answer, Declined)
    assert why in answer.reason
    assert any("web-01" in step for step in answer.advice.steps)


@pytest.mark.parametrize("repair", [EnableTls12(), GrantMachineKeys()])
def test_what_is_of_windows_is_not_sent_to_linux(repair: Remediation) -> None:
    answer = repair.plan(a_case(repair, {"cause": "no-common-algorithm"}, API), world(API))

    assert isinstance(answer, Declined)
    assert "it runs Linux" in answer.reason


def test_a_clock_is_set_on_linux_too() -> None:
    (step,) = planned(ResyncClock(), a_case(ResyncClock(), {"aheadSeconds": 60}, API), world(API)).steps

    assert isinstance(step, RunScript)
    assert step.script == "linux/resync-clock.sh"


def test_a_clock_is_looked_at_again_when_the_beats_from_the_future_have_become_past() -> None:
    plan = planned(ResyncClock(), a_case(ResyncClock(), {"aheadSeconds": 7200}), world())

    assert plan.settle.after == timedelta(hours=2, minutes=30)
    assert plan.impact is Impact.DISRUPTIVE


@pytest.mark.parametrize("repair", [EnableTls12(), GrantMachineKeys()])
def test_complaints_are_looked_at_again_when_those_from_before_are_a_day_old(repair: Remediation) -> None:
    plan = planned(repair, a_case(repair, {"cause": "no-common-algorithm"}), world())

    assert plan.settle.after > timedelta(days=1)


@pytest.mark.parametrize(
    ("cause", "reason", "step"),
    [
        ("answer-is-no-json", "a page of its own", "netsh winhttp show proxy"),
        ("foreign-certificate", "takes the TLS connection apart", "TLS inspection"),
        ("access-denied", "denied", "Local System"),
        ("something-new", "denied", "Local System"),
    ],
)
@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("public", f"{WORKSPACE_GUID}.ods.opinsights.azure.com:443"),
        ("usgovernment", f"{WORKSPACE_GUID}.ods.opinsights.azure.us:443"),
        ("china", f"{WORKSPACE_GUID}.ods.opinsights.azure.cn:443"),
        ("http://127.0.0.1:8080", f"{WORKSPACE_GUID}.ods.opinsights.azure.com:443"),
    ],
)
def test_where_it_is_not_tls_a_person_gets_the_exact_list_of_what_the_machine_has_to_reach(
    cause: str, reason: str, step: str, cloud: str, host: str
) -> None:
    repair = EnableTls12(cloud=cloud)
    answer = repair.plan(a_case(repair, {"cause": cause}), world())

    assert isinstance(answer, Declined)
    assert reason in answer.reason
    text = "\n".join(answer.advice.steps)
    assert step in text
    assert host in text
    assert WEB.arm_id in text
    assert "GuestAndHybridManagement" in text
    assert "<workspace>" not in text
    assert "{machine}" not in text


def test_a_document_is_wanted_only_where_a_script_may_be_sent() -> None:
    tls = a_case(EnableTls12(), {"cause": "no-common-algorithm"})

    assert EnableTls12().needs(tls, world()) == {WEB.id}
    assert EnableTls12().needs(a_case(EnableTls12(), {"cause": "access-denied"}), world()) == frozenset()
    assert EnableTls12().needs(replace(tls, target="name:onprem"), world()) == frozenset()
    assert GrantMachineKeys().needs(a_finding(FailureState.SELFSIGNED_CERT_FAILURE, "name:x"), world()) == frozenset()


@repairs
def test_an_undo_takes_what_the_script_reported(
    repair: Remediation, evidence: Mapping[str, Json], script: str, undo: str | None
) -> None:
    """Each parameter beyond those of the script itself is a field of its outcome, so that nobody has to look it up."""
    if undo is None:
        assert "Undo: none" in (repair.__doc__ or "")
        return
    taken = parameters(FOLDER / undo)
    assert taken[0] == "StepId"
    text = (FOLDER / script).read_text(encoding="utf-8").lower()
    assert all(f"{name.lower()} = " in text for name in taken[1:])


ORDERS: list[tuple[str, list[str]]] = [
    (
        "windows/enable-tls12.ps1",
        ["GetValueKind", "Set-Content -LiteralPath $file", "New-ItemProperty", "Restart-Service", "-Path $mark"],
    ),
    (
        "windows/grant-machine-keys.ps1",
        ["'foreign-owner'", "'deny-entry'", "/save $parentFile", "/save $keysFile", "/grant '*S-1-5-18:RX'",
         "/grant '*S-1-5-18:(M)'", "Restart-Service", "-Path $mark"],
    ),
    ("windows/restore-tls12.ps1", ["'record-changed'", "New-ItemProperty", "Remove-ItemProperty", "Restart-Service"]),
    ("windows/restore-machine-keys.ps1", ["'saved-list-changed'", "/restore $keysFile", "/restore $parentFile"]),
    ("windows/resync-clock.ps1", ["'time-service-disabled'", "/resync", "Restart-Service"]),
]  # fmt: skip


@pytest.mark.parametrize(("script", "order"), ORDERS, ids=[row[0] for row in ORDERS])
def test_what_was_before_is_kept_before_anything_is_changed(script: str, order: list[str]) -> None:
    text = (FOLDER / script).read_text(encoding="utf-8")
    places = [text.index(part, text.index("try {")) for part in order]

    assert places == sorted(places)


def test_rights_are_granted_by_sid_and_to_the_folders_only() -> None:
    """Names of groups are translated; the keys inside keep their own access lists; owners are never changed."""
    text = (FOLDER / "windows/grant-machine-keys.ps1").read_text(encoding="utf-8")
    grants = re.findall(r"& icacls\.exe \$(\w+) (?:.* )?/grant(?::r)? (.+)", text)

    assert dict(grants) == {
        "folder": "'*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'",  # our own, where the lists are kept
        "parent": "'*S-1-5-18:RX'",
        "keys": "'*S-1-5-18:(M)'",
    }
    assert "/setowner" not in text
    assert "/T" not in text
