"""The scripts that Run Command sends: read by a PowerShell grammar, and held against what the remediations pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from model.documents import Document
from model.plans import Plan, RunScript
from model.states import FailureState
from remediations.clear_agent_cache import ClearAgentCache
from remediations.enable_agent import EnableAgent
from remediations.free_update_cache import FreeUpdateCache
from remediations.grant_update_store import GrantUpdateStore
from remediations.rescan_updates import RescanUpdates
from remediations.reset_update_store import ResetUpdateStore
from remediations.reset_worker_key import ResetWorkerKey
from remediations.set_au_options import SetAuOptions
from remediations.set_reboot_policy import SetRebootPolicy
from remediations.set_wsus_server import SetWsusServer
from remediations.start_update_service import StartUpdateService
from remediations.update_signatures import UpdateSignatures
from tests.builders import a_body, a_finding, a_machine, an_instance_view, facts, guid

FOLDER = Path(__file__).parents[2] / "remediations" / "scripts"
# The diagnosis, which changes nothing and ends otherwise, has a page of its own: test_diagnose_windows.py.
WINDOWS = sorted(path for path in FOLDER.glob("windows/*.ps1") if path.stem != "diagnose")
POWERSHELL = Parser(Language(tree_sitter_powershell.language()))

by_name = pytest.mark.parametrize("script", WINDOWS, ids=lambda path: path.name)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def tree(script: Path) -> Node:
    return POWERSHELL.parse(script.read_bytes()).root_node


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def parameters(script: Path) -> list[str]:
    """Names in the script's own `param(...)` block."""
    block = next(node for node in tree(script).children if node.type == "param_block")
    declared = [node for node in nodes(block) if node.type == "script_parameter"]
    return [text(next(n for n in node.children if n.type == "variable")).removeprefix("$") for node in declared]


def sent() -> list[RunScript]:
    """Every script that a remediation plans."""
    clone = a_machine("clone-01")
    finding = a_finding(FailureState.CLONED_MACHINE, clone.id, evidence={"sourceComputerId": guid("agent")})
    plan = ResetWorkerKey().plan(finding, facts(machines=[clone], views=[an_instance_view(clone)]))
    assert isinstance(plan, Plan)
    plans = [plan, *windows_update_plans()]
    return [step for plan in plans for step in plan.steps if isinstance(step, RunScript)]


def windows_update_plans() -> list[Plan]:
    """Every repair of Windows Update and of the agent."""
    web = a_machine("web-01")
    world = facts(machines=[web], bodies=[a_body(machines=[web])], views=[an_instance_view(web)])
    answers = [
        fix.plan(
            a_finding(fix.fixes, web.id, evidence={"action": fix.id, "phase": "scan", "code": "", "meaning": ""}), world
        )
        for fix in (SetAuOptions(), SetRebootPolicy(), StartUpdateService(), ResetUpdateStore(), GrantUpdateStore())
    ]
    unresolved = {"action": "rescan", "phase": "scan", "code": "0x8024402C", "meaning": ""}
    wsus = SetWsusServer(server="https://wsus.contoso.com:8531")
    answers.append(wsus.plan(a_finding(FailureState.UPDATE_AGENT_ERROR, web.id, evidence=unresolved), world))
    answers.append(UpdateSignatures().plan(a_finding(FailureState.KB2267602_MISSING, web.id), world))
    answers.append(ClearAgentCache().plan(a_finding(FailureState.NO_HEARTBEAT, web.id), world))
    full: Document = {
        "action": "grant-update-store",
        "phase": "scan",
        "code": "0x80070005",
        "meaning": "",
        "freeMegabytes": 1,
    }
    answers.append(FreeUpdateCache().plan(a_finding(FailureState.UPDATE_AGENT_ERROR, web.id, evidence=full), world))
    off = a_finding(FailureState.NO_HEARTBEAT, web.id, evidence={"agentService": "disabled"})
    answers.append(EnableAgent().plan(off, world))
    rescan = {"action": "rescan", "phase": "scan", "code": "", "meaning": ""}
    answers.append(RescanUpdates().plan(a_finding(FailureState.UPDATE_AGENT_ERROR, web.id, evidence=rescan), world))
    plans = [answer for answer in answers if isinstance(answer, Plan)]
    assert len(plans) == len(answers)
    return plans


def test_there_are_scripts() -> None:
    assert WINDOWS


@by_name
def test_it_is_powershell(script: Path) -> None:
    wrong = [f"line {node.start_point.row + 1}" for node in nodes(tree(script)) if node.is_error or node.is_missing]

    assert wrong == []


@by_name
def test_it_says_its_own_name(script: Path) -> None:
    """The first line; what answers for the guest in tests knows a script by it."""
    first, *_ = script.read_text(encoding="utf-8").splitlines()

    assert first == f"# patchwright-script: {script.stem}"


@by_name
def test_it_is_plain_text_that_every_powershell_reads_the_same(script: Path) -> None:
    """PowerShell 5.1 reads a script without a byte-order mark in the machine's code page."""
    content = script.read_bytes()

    assert content.isascii()
    assert b"\r" not in content


@by_name
def test_no_path_holds_what_run_command_takes_for_a_line_break(script: Path) -> None:
    r"""A literal `\n` in a path is one on Windows: `...\notepad.exe` would be cut in two."""
    assert not re.search(r"\\n", script.read_text(encoding="utf-8"), re.IGNORECASE)


@by_name
def test_it_leaves_the_guest_agent_alone(script: Path) -> None:
    """Run Command itself runs under it; only the monitoring agent, another one, and what patching needs restart."""
    commands = [text(node) for node in nodes(tree(script)) if node.type == "command"]
    touched = [c for c in commands if re.match(r"(?i)(re|st)(art|op|art)-|stop-|set-service|sc\.exe|net\b", c)]

    assert all(re.search(r"-Name (HealthService|wuauserv|BITS|CryptSvc|W32Time)\b", command) for command in touched)
    assert not re.search(r"(?i)windowsazureguestagent|rdagent|restart-computer|shutdown", script.read_text())


@by_name
def test_every_end_of_it_says_how_it_went(script: Path) -> None:
    """One marked line of JSON is the last that it prints, whatever happens: Run Command keeps the end of the output."""
    root = tree(script)
    functions = {text(node) for node in nodes(root) if node.type == "function_name"}
    body = next(node for node in nodes(root) if node.type == "try_statement")
    ends = [text(node) for node in nodes(body) if node.type == "command" and text(node).startswith("Write-Outcome")]
    outcomes = {found[1] for end in ends if (found := re.search(r"outcome = '(\w+)'", end))}

    assert functions == {"Write-Outcome"}
    assert "patchwright-outcome: " in script.read_text()
    assert {"refused", "failed"} < outcomes
    assert any(node.type == "catch_clause" for node in nodes(body))
    printed = [text(node) for node in nodes(body) if node.type == "command"]
    assert not any(re.match(r"Write-(Output|Host)", command) for command in printed)


@by_name
def test_native_programs_are_asked_how_they_ended(script: Path) -> None:
    """They raise no PowerShell error of their own."""
    lines = script.read_text().splitlines()
    calls = [number for number, line in enumerate(lines) if re.search(r"& \w+\.exe", line)]

    assert all("$LASTEXITCODE -ne 0" in lines[number + 1] for number in calls)


def test_a_remediation_sends_exactly_the_parameters_that_its_script_takes() -> None:
    for step in sent():
        assert parameters(FOLDER / step.script) == list(step.parameters)


def test_an_undo_script_takes_what_the_script_took_and_what_it_reported() -> None:
    """`Sha256` is in the outcome of the script that it undoes, beside the path of the export."""
    for step in sent():
        if step.undo_script is None:
            continue
        script = (FOLDER / step.script).read_text()
        taken = parameters(FOLDER / step.undo_script)
        assert "StepId" in taken
        unknown = [name for name in taken if name not in step.parameters]
        assert [name for name in unknown if f"{name.lower()} = " not in script.lower()] == []


def test_the_parameters_pass_the_patterns_that_the_scripts_check_them_with() -> None:
    for step in sent():
        script = (FOLDER / step.script).read_text()
        for name, value in step.parameters.items():
            pattern = re.search(rf"ValidatePattern\('([^']+)'\)\]\[string\]\${name}\b", script)
            assert pattern
            assert re.fullmatch(pattern[1], value)


def test_a_value_that_is_not_of_the_expected_form_is_refused_by_powershell_itself() -> None:
    """Nothing that comes from outside ends up in a path."""
    for script in WINDOWS:
        block = script.read_text().split("param(")[1].split(")\n$ErrorAction")[0]
        declared = [line for line in block.splitlines() if "$" in line]
        assert len(declared) == len(parameters(script))
        patterns = [found[1] for line in declared if (found := re.search(r"ValidatePattern\('\^([^']+)\$'\)", line))]
        assert len(patterns) == len(declared)
        assert all(
            re.fullmatch(r"\[[a-z0-9-]+\]\{[\d,]+\}|\([a-z0-9|]+\)|\(\[0-9a-f\]\{2\}\)\{[\d,]+\}", pattern)
            for pattern in patterns
        )
        assert all("Mandatory = $true" in line or " = '" in line for line in declared)


def test_the_key_is_exported_before_it_is_removed_and_a_user_worker_stops_both() -> None:
    script = (FOLDER / "windows" / "reset-worker-key.ps1").read_text()
    order = [
        "'RunbookWorkerGroup'",
        "reg.exe export",
        "Remove-Item -LiteralPath $key",
        "-Path $mark",
        "Restart-Service",
    ]

    places = [script.index(part, script.index("try {")) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("script", "order"),
    [
        ("set-au-options", ["PartOfDomain", "'CcmExec'", "WriteAllText($file", "New-ItemProperty", "-Path $mark"]),
        ("set-reboot-policy", ["PartOfDomain", "'CcmExec'", "WriteAllText($file", "New-ItemProperty", "-Path $mark"]),
        ("start-update-service", ["'DisableWindowsUpdateAccess'", "WriteAllText($file", "Set-Service", "-Path $mark"]),
        ("reset-update-store", [".IsBusy", "WriteAllText($file", "Stop-Service", "Move-Item", "-Path $mark"]),
        (
            "enable-agent",
            ["'disabled-again-twice'", "WriteAllText($file", "Set-Service", "Start-Service", "-Path $mark"],
        ),
        ("restore-agent-service", ["-ne $Sha256", "Set-Service", "-Destination $undone"]),
        ("free-update-cache", ["-ge 1073741824", ".IsBusy", "Stop-Service", "Remove-Item", "-Path $mark"]),
        ("clear-agent-cache", ["'Disabled'", "WriteAllText($file", "Stop-Service", "Move-Item", "-Path $mark"]),
        ("restore-agent-cache", ["-ne $Sha256", "Stop-Service", "Move-Item", "-Destination $undone"]),
        ("grant-update-store", ["-lt 1073741824", "'foreign-owner'", "'deny-entry'", "/save $file", "$store /grant"]),
        ("restore-store-rights", ["-ne $Sha256", "/restore $file"]),
        (
            "set-wsus-server",
            ["PartOfDomain", "'CcmExec'", "'no-wsus-client'", "WriteAllText($file", "$key -Name $name"],
        ),
        ("restore-registry", ["-ne $Sha256", "'unknown-hive'", "New-ItemProperty", "-Destination $undone"]),
        ("restore-update-service", ["-ne $Sha256", "Set-Service", "-Destination $undone"]),
        ("restore-update-store", ["-ne $Sha256", ".IsBusy", "Stop-Service", "Move-Item", "-Destination $undone"]),
        ("rescan-updates", ["'service-disabled'", ".IsBusy", "Restart-Service", ".Search("]),
    ],
)
def test_what_was_there_is_recorded_before_the_first_change_and_what_forbids_it_is_asked_first(
    script: str, order: list[str]
) -> None:
    text_ = (FOLDER / "windows" / f"{script}.ps1").read_text()

    places = [text_.index(part, text_.index("try {")) for part in order]
    assert places == sorted(places)


def test_only_downloads_are_deleted_and_none_of_the_stores() -> None:
    text_ = (FOLDER / "windows" / "free-update-cache.ps1").read_text()

    assert re.findall(r"Join-Path \$env:windir '([^']+)'", text_) == ["SoftwareDistribution\\Download"]
    assert re.findall(r"Remove-Item -LiteralPath (\S+)", text_) == ["$child.FullName"]
    assert re.findall(r"\$child in @\(Get-ChildItem -LiteralPath (\S+) -Force\)", text_) == ["$downloads"]


def test_the_stores_of_windows_update_and_of_the_agent_are_renamed_and_never_deleted() -> None:
    for name in ("reset-update-store", "restore-update-store", "clear-agent-cache", "restore-agent-cache"):
        removed = re.findall(
            r"Remove-Item -LiteralPath ([^,\s}]+(?:, [^,\s}]+)*)", (FOLDER / "windows" / f"{name}.ps1").read_text()
        )
        assert {part for each in removed for part in each.split(", ")} <= {"$file", "$mark"}
