"""Answers of the diagnosis: whole or not at all, and nothing becomes `passed` by doubt."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.diagnosis import (
    RULES,
    Diagnosis,
    OperatingSystem,
    Result,
    Rule,
    RuleResult,
    parse_diagnosis,
    parse_troubleshooter,
    read_diagnosis,
)
from model.facts import Unreadable

WINDOWS, LINUX = OperatingSystem.WINDOWS, OperatingSystem.LINUX
LETTERS = {
    "P": Result.PASSED,
    "W": Result.WARNING,
    "F": Result.FAILED,
    "N": Result.NOT_APPLICABLE,
    "U": Result.UNKNOWN,
}
BIG = 65521


def adler(text: str) -> str:
    """The checksum as the scripts work it out: two sums over the bytes."""
    a, b = 1, 0
    for byte in text.encode():
        a = (a + byte) % BIG
        b = (b + a) % BIG
    return f"{b:04x}{a:04x}"


def answer(os: OperatingSystem, /, **changed: str) -> str:
    """What a script prints of a machine that passes everything but what is `changed`, by code."""
    changed = {"kbs": "P:0"} | changed
    lines = "".join(f"{rule.code}:{changed.get(rule.code, 'P')}\n" for rule in RULES.of(os))
    count = len(RULES.of(os))
    return f"patchwright-diagnosis 1 {os.value}\n{lines}patchwright-end {count} {adler(lines)}\n"


# As dash printed it in a scratch machine whose agent is stopped and whose clock could not be compared.
RECORDED = """\
patchwright-diagnosis 1 linux
os:I:ubuntu-20.04
usr:P
py:P:3.8
dmi:P
omi:P
omr:F:stopped
ws:P:1,0f1e2d3c
hwp:P
hwr:P
prx:P
prm:P
ims:P
net:P
ags:F:dns,0of1
jrd:P
ods:P
oms:P
tls:P
htp:P
gua:P
pex:W:transitioning
tmr:P
asv:P
rep:P:1of1
arc:N
ars:N
arx:N
are:N
dsk:P:7812MB
clk:U:noanswer
patchwright-end 30 828b50df
"""


def read(text: str, os: OperatingSystem) -> Diagnosis:
    diagnosis = parse_diagnosis(text, os)
    assert isinstance(diagnosis, Diagnosis), diagnosis
    return diagnosis


def unreadable(text: str, os: OperatingSystem = LINUX) -> str:
    diagnosis = parse_diagnosis(text, os)
    assert isinstance(diagnosis, Unreadable)
    return diagnosis.what


def test_a_recorded_answer_is_read() -> None:
    diagnosis = read(RECORDED, LINUX)

    assert diagnosis["monitoring-agent-running"] == RuleResult(result=Result.FAILED, detail="stopped")
    assert diagnosis["os-version"] == RuleResult(result=Result.PASSED, detail="ubuntu-20.04")
    assert [rule.id for rule in diagnosis.rules(Result.FAILED)] == [
        "monitoring-agent-running",
        "agent-service-reachable",
    ]
    assert [rule.id for rule in diagnosis.rules(Result.UNKNOWN)] == ["clock"]


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: f"{rule.os}-{rule.code}")
def test_each_rule_ends_as_the_machine_says_and_no_other_is_touched(rule: Rule, letter: str) -> None:
    """Every rule with every result, among others that passed."""
    diagnosis = read(answer(rule.os, **{rule.code: f"{letter}:0"}), rule.os)

    assert diagnosis[rule.id] == RuleResult(result=LETTERS[letter], detail="0")
    assert {diagnosis[other.id].result for other in RULES.of(rule.os) if other is not rule} == {Result.PASSED}


@pytest.mark.parametrize("os", OperatingSystem)
def test_line_ends_of_windows_and_what_stands_around_an_answer_do_no_harm(os: OperatingSystem) -> None:
    whole = answer(os)

    assert read(f"Profil geladen: Üben\n{whole}\n[stderr]\n", os) == read(whole, os)
    assert read(whole.replace("\n", "\r\n"), os) == read(whole, os)


@pytest.mark.parametrize("kept", range(0, len(RECORDED) - 1, 7))
def test_an_answer_that_was_cut_is_unreadable(kept: int) -> None:
    """At either end: Run Command keeps the last 4,096 bytes, and a machine that dies keeps the first."""
    assert unreadable(RECORDED[:kept])
    assert unreadable(RECORDED[len(RECORDED) - kept :])


@given(place=st.integers(0, len(RECORDED) - 2), letter=st.characters(codec="utf-8"))
def test_an_answer_in_which_one_letter_differs_is_unreadable_or_the_same(place: int, letter: str) -> None:
    changed = RECORDED[:place] + letter + RECORDED[place + 1 :]

    diagnosis = parse_diagnosis(changed, LINUX)

    assert isinstance(diagnosis, Unreadable) or diagnosis == parse_diagnosis(RECORDED, LINUX)


@given(text=st.text())
def test_no_text_is_too_odd_to_be_refused(text: str) -> None:
    assert isinstance(parse_diagnosis(text, LINUX), Unreadable)
    assert isinstance(parse_troubleshooter(text, LINUX), Unreadable)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Der Begriff 'Get-WinEvent' wurde nicht als Name eines Cmdlet erkannt.",
        answer(LINUX).encode("utf-16").decode("utf-8", "replace"),
        answer(LINUX).encode("utf-16").decode("latin-1"),
        answer(LINUX, usr="F:größe"),
        answer(LINUX, usr="bestanden"),
        answer(LINUX, usr="F:" + "x" * 41),
        answer(WINDOWS),
        answer(LINUX).replace("patchwright-diagnosis 1", "patchwright-diagnosis 2"),
    ],
)
def test_another_encoding_language_or_machine_is_unreadable(text: str) -> None:
    assert unreadable(text)


def signed(lines: str, count: int) -> str:
    return f"patchwright-diagnosis 1 linux\n{lines}patchwright-end {count} {adler(lines)}\n"


def test_the_reason_is_named() -> None:
    assert unreadable("nothing") == "the diagnosis has no beginning"
    assert unreadable("patchwright-diagnosis 1 linux\nusr:P\n") == "the diagnosis has no end"
    assert unreadable(signed("usr:P\n", 2)) == "the diagnosis has 1 rules, and should have 2"
    assert unreadable(signed("usr:P\nusr:F\n", 2)) == "the diagnosis has the rule usr twice"
    assert unreadable(signed("zzz:P\n", 1)) == "the diagnosis has a rule zzz, which is not known here"
    wrong = re.sub(r"[0-9a-f]{8}\n\Z", "00000000\n", signed("usr:P\n", 1))
    assert unreadable(wrong) == "the diagnosis has another checksum"


def with_updates(said: str, *listed: str) -> str:
    """A Windows machine's answer with the lines that list updates."""
    whole = answer(WINDOWS, kbs=said).splitlines()[1:-1] + list(listed)
    lines = "".join(f"{line}\n" for line in whole)
    return f"patchwright-diagnosis 1 windows\n{lines}patchwright-end {len(whole)} {adler(lines)}\n"


def test_installed_updates_are_told_by_their_numbers() -> None:
    whole = with_updates("P:7", "+5031364,5031990,5032190,5033371,5034121,5034768", "+890830")

    told = ("5031364", "5031990", "5032190", "5033371", "5034121", "5034768", "890830")
    assert read(whole, WINDOWS).updates == frozenset(told)
    assert read(answer(WINDOWS), WINDOWS).updates == frozenset()


def test_updates_that_could_not_be_listed_are_not_known() -> None:
    """Too many of them, or a machine that was not asked for them: that is not the same as none."""
    assert read(answer(WINDOWS, kbs="U:212"), WINDOWS).updates is None
    assert read(answer(LINUX), LINUX).updates is None


@pytest.mark.parametrize(
    ("said", "lines", "what"),
    [
        ("P:2", ["+5031364"], "the diagnosis lists 1 updates, and should list 2"),
        ("P", ["+5031364"], "the diagnosis lists 1 updates, and should list some"),
        ("U:broke", ["+5031364"], "the diagnosis lists updates that it did not count"),
        ("P:1", ["+KB5031364"], "the diagnosis holds a line that no rule writes"),
        ("P:1", ["+503136"[:5]], "the diagnosis holds a line that no rule writes"),
        ("P:7", ["+" + ",".join(["5031364"] * 7)], "the diagnosis holds a line that no rule writes"),
    ],
)
def test_a_list_of_updates_that_is_not_as_it_was_counted_is_unreadable(said: str, lines: list[str], what: str) -> None:
    assert unreadable(with_updates(said, *lines), WINDOWS) == what


def test_a_rule_that_did_not_answer_is_unknown() -> None:
    diagnosis = read(signed("usr:P\n", 1), LINUX)

    assert diagnosis["root"].result is Result.PASSED
    assert {diagnosis[rule.id].result for rule in RULES.of(LINUX) if rule.code != "usr"} == {Result.UNKNOWN}


@pytest.mark.parametrize("rule", [rule for rule in RULES.of(LINUX) if rule.code != "os"], ids=lambda rule: rule.code)
def test_what_is_left_to_the_reader_is_never_passed_where_the_reader_does_not_judge(rule: Rule) -> None:
    assert read(answer(LINUX, **{rule.code: "I:7"}), LINUX)[rule.id].result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("release", "result"),
    [
        ("ubuntu-20.04", Result.PASSED),
        ("sles-15.4", Result.PASSED),
        ("rhel-8.10", Result.PASSED),
        # By one generation of the service only.
        ("ubuntu-14.04", Result.WARNING),
        ("ubuntu-22.04", Result.WARNING),
        ("amzn-2023", Result.WARNING),
        ("ubuntu-19.10", Result.FAILED),
        ("gentoo-2.15", Result.FAILED),
        # Newer than the list was when it was reviewed.
        ("ubuntu-24.04", Result.UNKNOWN),
        ("rhel-10.0", Result.UNKNOWN),
        ("arch-", Result.UNKNOWN),
        ("debian-trixie", Result.UNKNOWN),
        ("", Result.UNKNOWN),
    ],
)
def test_a_distribution_is_judged_by_the_list(release: str, result: Result) -> None:
    assert read(answer(LINUX, os=f"I:{release}"), LINUX)["os-version"].result is result


def test_the_table_is_whole() -> None:
    """Every row says what it means, what is to be done, where it is from and when somebody last looked."""
    for rule in RULES.rules:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.id), rule.id
        assert re.fullmatch(r"[a-z]{1,3}", rule.code), rule.code
        assert rule.services
        assert rule.means.endswith(".")
        assert rule.advice.endswith(".")
        assert "http" not in rule.advice
        assert rule.source
        assert re.fullmatch(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]", rule.reviewed)
        assert rule.distrust.keys() <= rule.microsoft
    for os in OperatingSystem:
        for names in ([rule.id for rule in RULES.of(os)], [rule.code for rule in RULES.of(os)]):
            assert len(names) == len(set(names))
        theirs = [id_ for rule in RULES.of(os) for id_ in rule.microsoft]
        assert len(theirs) == len(set(theirs))


# Rule ids of Microsoft's troubleshooters, in the order in which each runs them.
UM_WINDOWS = (
    *("OperatingSystemCheck", "DotNetFrameworkInstalledCheck", "WindowsManagementFrameworkInstalledCheck"),
    *("AutomationAgentServiceConnectivityCheck1", "AutomationJobRuntimeDataServiceConnectivityCheck"),
    *("MonitoringAgentServiceRunningCheck", "SystemHybridRunbookWorkerRunningCheck"),
    *("MonitoringAgentServiceEventsCheck", "LinkedWorkspaceCheck", "CryptoRsaMachineKeysFolderAccessCheck"),
    *("TlsVersionCheck", "AlwaysAutoRebootCheck", "WSUSServerConfigured", "AutomaticUpdateCheck", "HttpsConnection"),
    *("ProxySettings", "IMDSConnectivity", "WUServiceRunningCheck", "LAOdsEndpointConnectivity"),
    "LAOmsEndpointConnectivity",
)
AUM_WINDOWS = (
    *("DotNetFrameworkInstalledCheck", "TlsVersionCheck", "HttpsConnectionCheck", "ProxySettingsCheck"),
    *("RdAgentServiceCheck", "WindowsAzureGuestAgentServiceCheck", "WireServerConnectivityCheck"),
    *("PatchExtensionCheck", "WSUSServerConfiguredCheck", "WUEndpointConnectivityCheck", "AlwaysAutoRebootCheck"),
    *("AutomaticUpdateCheck", "WUServiceRunningCheck", "MUEnableCheck"),
)
UM_LINUX = tuple(
    f"Linux.{name}"
    for name in (
        *("OperatingSystemCheck", "DmidecodeCheck", "OMSAgentInstallCheck", "OMSAgentStatusCheck"),
        *("MultiHomingCheck", "HybridWorkerPackgeCheck", "HybridWorkerStatusCheck", "ProxyCheck", "ImdsCheck"),
        *("InternetConnectionCheck", "AgentServiceConnectivityCheck", "JRDSConnectivityCheck"),
        *("LogAnalyticsConnectivityCheck1", "LogAnalyticsConnectivityCheck2", "ReposAccessCheck"),
    )
)
AUM_LINUX = (
    *("SudoCheck", "PythonVersionCheck", "ProxySettingsCheck", "TlsVersionCheck", "HttpsConnectionCheck"),
    *("LinuxAzureGuestAgentServiceCheck", "PatchExtensionCheck", "AutoAssessmentTimerCheck"),
    *("AutoAssessmentServiceCheck", "ReposAccessCheck", "Linux.ArcExtension", "Linux.Agent", "Linux.himdsd"),
    "Linux.ArcEndpointsCheck",
)
THEIRS = [
    *((WINDOWS, id_) for id_ in dict.fromkeys([*UM_WINDOWS, *AUM_WINDOWS])),
    *((LINUX, id_) for id_ in dict.fromkeys([*UM_LINUX, *AUM_LINUX])),
]
RESULTS = {
    "Passed": Result.PASSED,
    "PassedWithWarning": Result.WARNING,
    "Failed": Result.FAILED,
    "Information": Result.UNKNOWN,
}


def record(id_: str, result: str, reason: str = "", *arguments: str, full: bool = False) -> dict[str, object]:
    message = f"{id_}.{result}" + (f".{reason}" if reason else "")
    compact: dict[str, object] = {
        "RuleId": id_,
        "RuleGroupId": "servicehealth",
        "CheckResult": result,
        "CheckResultMessageId": message,
        "CheckResultMessageArguments": list(arguments),
    }
    text = {"RuleName": "a", "RuleGroupName": "b", "RuleDescription": "c", "CheckResultMessage": "d {0}"}
    return compact | (text if full else {})


def theirs(os: OperatingSystem, *records: dict[str, object]) -> Diagnosis:
    diagnosis = parse_troubleshooter(json.dumps(records), os)
    assert isinstance(diagnosis, Diagnosis), diagnosis
    return diagnosis


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize(("os", "id_"), THEIRS)
def test_each_rule_of_microsofts_own_is_accepted(os: OperatingSystem, id_: str, result: str) -> None:
    """In the compact and in the full form; a result that cannot be relied on is unknown, and all others are theirs."""
    compact, full = theirs(os, record(id_, result)), theirs(os, record(id_, result, full=True))
    said = [rule for rule in RULES.of(os) if compact[rule.id].detail != "not reported"]

    assert compact == full
    (rule,) = said
    assert compact[rule.id].result in {RESULTS[result], Result.UNKNOWN}
    if not rule.distrust:
        assert compact[rule.id].result is RESULTS[result]


@pytest.mark.parametrize(
    ("os", "id_", "result"),
    [
        # Their log rolled over, which they take for a stopped worker.
        (WINDOWS, "SystemHybridRunbookWorkerRunningCheck", "Failed"),
        # Inherits the failure of another rule.
        (WINDOWS, "TlsVersionCheck", "Failed"),
        # A missing service passes there.
        (WINDOWS, "WUServiceRunningCheck", "Passed"),
        # "inactive" contains "active".
        (LINUX, "LinuxAzureGuestAgentServiceCheck", "Passed"),
        (LINUX, "AutoAssessmentTimerCheck", "Passed"),
        # A proxy that works is a failure there.
        (LINUX, "Linux.ProxyCheck", "Failed"),
        # No workspace at all passes there.
        (LINUX, "Linux.MultiHomingCheck", "Passed"),
    ],
)
def test_what_their_rules_cannot_tell_is_unknown(os: OperatingSystem, id_: str, result: str) -> None:
    diagnosis = theirs(os, record(id_, result))
    (rule,) = [rule for rule in RULES.of(os) if id_ in rule.microsoft]

    assert diagnosis[rule.id].result is Result.UNKNOWN
    assert diagnosis[rule.id].detail.startswith("not to be relied on")


def test_reason_and_arguments_become_the_detail() -> None:
    diagnosis = theirs(WINDOWS, record("WireServerConnectivityCheck", "Failed", "Port80Failed", "168.63.129.16"))

    assert diagnosis["wire-server"] == RuleResult(result=Result.FAILED, detail="Port80Failed, 168.63.129.16")


def test_of_several_records_of_a_rule_the_worst_counts() -> None:
    names = [f"Linux.LogAnalyticsConnectivityCheck{n}" for n in (1, 2, 3)]
    diagnosis = theirs(LINUX, *(record(n, r) for n, r in zip(names, ["Passed", "Failed", "Passed"], strict=True)))

    assert diagnosis["log-ingestion-reachable"].result is Result.FAILED


def test_a_record_that_contradicts_itself_says_nothing() -> None:
    contradictory = record("MUEnableCheck", "Passed") | {"CheckResultMessageId": "MUEnableCheck.Failed"}

    assert theirs(WINDOWS, contradictory)["microsoft-update"].result is Result.UNKNOWN


def test_a_single_record_is_a_list_of_one_and_unknown_rules_are_passed_over() -> None:
    """PowerShell makes an object of a list of one."""
    one = parse_troubleshooter("\ufeff" + json.dumps(record("MUEnableCheck", "Passed")), WINDOWS)

    assert one == theirs(WINDOWS, record("MUEnableCheck", "Passed"), record("SomethingNewCheck", "Failed"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "7",
        "[7]",
        '[{"RuleId": 7}]',
        json.dumps([record("SomethingNewCheck", "Passed")]),
        "[" * 100_000,
        json.dumps([record("MUEnableCheck", "Passed")])[:-20],
    ],
)
def test_what_is_no_output_of_a_troubleshooter_is_unreadable(text: str) -> None:
    assert isinstance(parse_troubleshooter(text, WINDOWS), Unreadable)


@pytest.mark.parametrize("value", [None, "", "Bestanden", "passed", 1, ["Passed"], True])
def test_a_result_that_is_none_is_unknown(value: object) -> None:
    odd = record("MUEnableCheck", "Passed") | {"CheckResult": value, "CheckResultMessageId": None}

    assert theirs(WINDOWS, odd)["microsoft-update"].result is Result.UNKNOWN


def test_the_rules_of_a_machine_are_told_in_the_order_of_the_table() -> None:
    """Prerequisites first: what is said first is what is mended first."""
    diagnosis = read(answer(WINDOWS, clk="F", net="F", tls="W"), WINDOWS)
    told = [RULES.rules.index(rule) for rule in diagnosis.rules(Result.FAILED, Result.WARNING)]

    assert len(told) == 3
    assert all(first < second for first, second in pairwise(told))


@pytest.mark.parametrize("os", OperatingSystem)
def test_whose_a_kept_diagnosis_is_it_says_itself(os: OperatingSystem) -> None:
    assert read_diagnosis(answer(os)) == read(answer(os), os)


@pytest.mark.parametrize(
    ("os", "id_"),
    [(WINDOWS, "WUServiceRunningCheck"), (LINUX, "Linux.ReposAccessCheck"), (LINUX, "SudoCheck")],
)
def test_whose_troubleshooter_printed_it_shows(os: OperatingSystem, id_: str) -> None:
    assert read_diagnosis(json.dumps([record(id_, "Failed")], indent=1)) == theirs(os, record(id_, "Failed"))


@given(text=st.text())
def test_no_kept_text_is_too_odd_to_be_refused(text: str) -> None:
    assert isinstance(read_diagnosis(text), Unreadable)


def test_a_megabyte_of_it_is_unreadable_and_the_answer_at_its_end_is_not() -> None:
    noise = "\N{FULL BLOCK}x\x00\n" * 200_000

    assert isinstance(read_diagnosis(noise), Unreadable)
    assert isinstance(read_diagnosis("[" + noise), Unreadable)
    assert read_diagnosis(noise + RECORDED) == read(RECORDED, LINUX)
