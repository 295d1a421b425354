"""The diagnosis of a Windows machine: read by a PowerShell grammar, and run where there is a PowerShell."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from model.diagnosis import MOST_LINE, MOST_UPDATES, RULES, Diagnosis, OperatingSystem, parse_diagnosis
from tests.support.parts import optional

SCRIPT = Path(__file__).parents[2] / "remediations" / "scripts" / "windows" / "diagnose.ps1"
TEXT = SCRIPT.read_text(encoding="ascii")
CODE = re.sub(r"(?m)^\s*#.*$", "", TEXT)
CODES = re.findall(r"^    '([a-z]+)' = \{", TEXT, re.MULTILINE)
READING = {
    *(
        "Get-Acl",
        "Get-CimInstance",
        "Get-ChildItem",
        "Get-Service",
        "Get-WinEvent",
        "Test-Path",
        "ConvertFrom-Json",
        "Join-Path",
    ),
    *("New-Object", "Sort-Object", "Where-Object", "ForEach-Object", "Write-Output"),
}
OBJECTS = {
    *("System.Net.Sockets.TcpClient", "System.Net.Security.SslStream", "System.IO.DriveInfo", "byte[]"),
    *("AgentConfigManager.MgmtSvcCfg", "Microsoft.Update.ServiceManager"),
}
WRITING = re.compile(
    r"(?i)^(set|remove|delete|create(sub)?key|create(?!$)|writeall|append|copy|move|start|stop|restart|kill|add(?!$|hours$|ressfamily$)"
    r"|install|uninstall|save|invoke|execute|flush)"
)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


ROOT = Parser(Language(tree_sitter_powershell.language())).parse(SCRIPT.read_bytes()).root_node


def texts(kind: str) -> set[str]:
    return {node.text.decode() for node in nodes(ROOT) if node.type == kind and node.text is not None}


def test_it_is_powershell() -> None:
    assert [f"line {n.start_point.row + 1}" for n in nodes(ROOT) if n.is_error or n.is_missing] == []


def test_it_says_its_own_name() -> None:
    assert TEXT.startswith("# patchwright-script: diagnose\n")


def test_no_path_holds_what_run_command_takes_for_a_line_break() -> None:
    assert not re.search(r"\\n", TEXT, re.IGNORECASE)
    assert "\r" not in TEXT


def test_it_calls_nothing_that_changes_anything() -> None:
    """Its commands are those that read, its own functions among them; no native program is started."""
    own = texts("function_name")
    called = texts("command_name")

    assert called <= READING | own
    assert all(re.match(r"(Get|Test)-[A-Za-z]+$", name) for name in own)
    assert not re.search(
        r"(?i)\.exe\b|netsh|reg add|sc config|w32tm|Invoke-|-OutFile|Out-File|\bSet-|>\s*[$'\"\w]", CODE
    )


def test_it_makes_no_object_but_those_that_only_look() -> None:
    made = set(re.findall(r"New-Object (?:-ComObject )?'?([A-Za-z.\[\]]+)'?", TEXT))

    assert made <= OBJECTS


def test_no_method_that_it_calls_writes() -> None:
    """A registry key opened without a second argument is open for reading; `Write` sends the words of a proxy."""
    called = {name for name in texts("member_name") if WRITING.match(name)}

    assert called == set()
    assert re.findall(r"OpenSubKey\([^()]*(?:\([^()]*\))?[^()]*\)", TEXT) == ["OpenSubKey($Path.Replace('/', '\\'))"]
    assert re.findall(r"\$(\w+)\.Write\(", TEXT) == ["stream"]
    assert re.findall(r"WebRequest\]::Create\((.*)\)$", TEXT, re.MULTILINE) == [
        "'http://169.254.169.254/metadata/instance?api-version=2018-02-01'",
        "'https://' + (Get-SignInHost) + '/'",
    ]


def test_every_rule_of_the_table_is_in_the_script_and_no_other() -> None:
    assert sorted(CODES) == sorted(rule.code for rule in RULES.of(OperatingSystem.WINDOWS))


def test_every_rule_can_end_otherwise_than_passed() -> None:
    """And none says `I`: on Windows the machine judges all of it itself."""
    bodies = dict(zip(CODES, re.split(r"^    '[a-z]+' = \{", TEXT, flags=re.MULTILINE)[1:], strict=True))
    through = ("Get-Reach", "Get-WorkspaceReach", "Get-ServiceVerdict", "Get-ExtensionVerdict")

    for code, body in bodies.items():
        assert re.search(r"['\"][WFU]:", body) or any(name in body for name in through), code
        assert not re.search(r"return ['\"]I\b", body), code


def test_parameters_are_checked_by_powershell_itself() -> None:
    block = TEXT.split("param(")[1].split("\n)")[0]

    assert re.findall(r"\$(\w+) =", block) == ["Cloud", "Location"]
    assert block.count("ValidatePattern('^") == 2


def test_what_windows_translates_is_never_compared() -> None:
    """No text of netsh, no name of a group; rights by SID, the proxy from the bytes in the registry."""
    assert "S-1-5-18" in TEXT
    assert "SecurityIdentifier" in TEXT
    assert not re.search(r"(?i)everyone'|administrators'|direct access|nt authority", TEXT)


def test_the_longest_answer_fits() -> None:
    """Run Command keeps 4,096 bytes; the script replaces whatever its own pattern does not let through."""
    let_through = re.search(r"-cnotmatch '\^\[PWFNU\]\(:\[A-Za-z0-9\._,\+-\]\{0,40\}\)\?\$'", TEXT)
    longest = max(map(len, CODES)) + len(":F:") + 40 + len("\r\n")
    marks = len("patchwright-diagnosis 1 windows\r\n") + len("patchwright-end 999 00000000\r\n")
    updates = MOST_UPDATES // 6 * len("+" + ",".join(["12345678"] * 6) + "\r\n")

    assert let_through
    assert longest <= MOST_LINE
    assert f"$mostUpdates = {MOST_UPDATES}\n" in TEXT
    assert marks + MOST_LINE * len(CODES) + updates <= 4096


def test_a_real_powershell_runs_it(tmp_path: Path) -> None:
    """Off Windows every rule that needs Windows is unknown, and the answer is whole all the same."""
    pwsh = optional("pwsh")
    if pwsh is None:
        pytest.skip("left out: there is no pwsh here")
    done = subprocess.run(
        [pwsh, "-NoProfile", "-File", str(SCRIPT)], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    assert isinstance(parse_diagnosis(done.stdout, OperatingSystem.WINDOWS), Diagnosis)
