"""The diagnosis of a Linux machine: the real script, under dash and bash, looks into scratch machines."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model.diagnosis import MOST_LINE, RULES, Diagnosis, OperatingSystem, Result, parse_diagnosis
from tests.remediations.linux_guest import SCRIPT, WORKSPACE, LinuxGuest
from tests.support.parts import program

SHELLS = ("dash", "bash")
OTHER = "9a8b7c6d-1111-4222-8333-444455556666"
OMSAGENT = "etc/opt/microsoft/omsagent"
WORKER = f"var/opt/microsoft/omsagent/{WORKSPACE}/state/automationworker/worker.conf"
MODULE = "opt/microsoft/omsconfig/modules/nxOMSAutomationWorker"
EXTENSION = "var/lib/waagent/Microsoft.CPlat.Core.LinuxPatchExtension-1.6.50"
LOGIN = "https://login.microsoftonline.com"

type Change = Callable[[LinuxGuest], object]


def arc(*changes: Change) -> Change:
    def changed(guest: LinuxGuest) -> None:
        guest.on_arc()
        for change in changes:
            change(guest)

    return changed


def repos(file: str, text: str) -> Change:
    def changed(guest: LinuxGuest) -> None:
        guest.remove("etc/apt/sources.list")
        guest.write(file, text)

    return changed


YUM = "[base]\nname=x\nbaseurl=https://yum.example/$releasever/$basearch/os/\nenabled=1\n[off]\nbaseurl=https://off.example/\nenabled=0\n"

SEEN: list[tuple[str, str, Change]] = [
    # code, what the script says, what is done to a healthy machine
    ("os", "I:sles-15.4", lambda g: g.write("etc/os-release", 'ID="sles"\nVERSION_ID="15.4"\n')),
    ("os", "U:norelease", lambda g: g.remove("etc/os-release")),
    ("usr", "F", lambda g: g.world("uid", "1000\n")),
    ("py", "F:2.6", lambda g: g.world("python", "2.6\n")),
    ("py", "F:missing", lambda g: g.without_program("python3")),
    ("dmi", "F:othertag", lambda g: g.write("sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")),
    ("dmi", "U:notag", lambda g: g.remove("sys/class/dmi/id/chassis_asset_tag")),
    ("dmi", "N", arc()),
    ("omi", "F:missing", lambda g: g.without_old_agent()),
    ("omi", "F:noconf", lambda g: g.remove(f"{OMSAGENT}/{WORKSPACE}")),
    ("omi", "F:nolog", lambda g: g.remove(f"var/opt/microsoft/omsagent/{WORKSPACE}/log")),
    ("omr", "F:stopped", lambda g: g.remove("proc/100")),
    ("omr", "F:missing", lambda g: g.without_old_agent()),
    ("omr", "U:noproc", lambda g: g.remove("proc")),
    ("ws", "F:none", lambda g: g.remove(f"{OMSAGENT}/{WORKSPACE}")),
    ("ws", "F:2,0f1e2d3c", lambda g: g.workspace(OTHER)),
    # A folder that a former workspace left behind is none.
    ("ws", "P:1,0f1e2d3c", lambda g: g.write(f"var/opt/microsoft/omsagent/{OTHER}/log/omsagent.log", "")),
    ("ws", "N", lambda g: g.without_old_agent()),
    ("hwp", "F:noversion", lambda g: g.remove(f"{MODULE}/VERSION")),
    ("hwp", "F:noworker", lambda g: g.remove(f"{MODULE}/worker")),
    ("hwr", "F:stopped", lambda g: g.remove("proc/101")),
    ("hwr", "F:noconf", lambda g: g.remove(WORKER)),
    ("hwr", "U:noproc", lambda g: g.remove("proc")),
    ("hwr", "N", lambda g: g.without_old_agent()),
    ("prx", "W:set", lambda g: g.environment.update(https_proxy="http://10.0.0.1:3128")),
    ("prx", "W:set", lambda g: g.environment.update(HTTP_PROXY="http://10.0.0.1:3128")),
    ("prm", "W:set", lambda g: g.write(f"{OMSAGENT}/proxy.conf", "http://user:secret@10.0.0.1:3128\n")),
    ("prm", "N", lambda g: g.without_old_agent()),
    # curl succeeds whatever the status is: the status counts.
    ("ims", "F:http403", lambda g: g.network("any http://169.254 0 403")),
    ("ims", "F:time", lambda g: g.network("any http://169.254 28 000")),
    ("ims", "U:nocurl", lambda g: g.without_program("curl")),
    ("ims", "N", arc()),
    ("net", "N:closed", lambda g: g.network("any https://www.bing.com 28 000")),
    ("ags", "F:dns,0of1", lambda g: g.network(f"any https://{WORKSPACE}.agentsvc 6 000")),
    ("ags", "U:noname", lambda g: g.write(f"{OMSAGENT}/{WORKSPACE}/conf/omsadmin.conf", "WORKSPACE_ID=x\n")),
    ("ags", "N", lambda g: g.without_old_agent()),
    ("jrd", "F:tcp,0of1", lambda g: g.network("any https://eus2-jobruntimedata 7 000")),
    ("jrd", "U:noname", lambda g: g.remove(WORKER)),
    ("ods", "F:cert,0of1", lambda g: g.network(f"any https://{WORKSPACE}.ods 60 000")),
    ("ods", "U:reset,0of1", lambda g: g.network(f"any https://{WORKSPACE}.ods 56 000")),
    ("oms", "F:tls,0of1", lambda g: g.network(f"any https://{WORKSPACE}.oms 35 000")),
    ("tls", "F:tls", lambda g: g.network(f"any {LOGIN} 35 000")),
    # A network that is down says nothing of TLS.
    ("tls", "U:dns", lambda g: g.network(f"any {LOGIN} 6 000")),
    ("htp", "F:dns,0of1", lambda g: g.network(f"any {LOGIN} 6 000")),
    ("htp", "U:nocurl,0of1", lambda g: g.without_program("curl")),
    ("gua", "F:missing", lambda g: g.without_unit("walinuxagent.service")),
    # `inactive` ends with `active`.
    ("gua", "F:inactive", lambda g: g.unit("walinuxagent.service", active="inactive")),
    ("gua", "U:nosystemd", lambda g: g.without_program("systemctl")),
    ("gua", "N", arc()),
    ("pex", "F:missing", lambda g: g.remove(EXTENSION)),
    ("pex", "F:error", lambda g: g.extension(EXTENSION.rsplit("/", maxsplit=1)[-1], "error")),
    ("pex", "W:transitioning", lambda g: g.extension(EXTENSION.rsplit("/", maxsplit=1)[-1], "transitioning")),
    ("pex", "U:nostatus", lambda g: g.remove(f"{EXTENSION}/status")),
    ("pex", "U:unread", lambda g: g.write(f"{EXTENSION}/status/0.status", '{"status": {"sta')),
    ("pex", "N", arc()),
    ("tmr", "F:inactive", lambda g: g.unit("MsftLinuxPatchAutoAssess.timer", active="inactive")),
    ("tmr", "F:missing", lambda g: g.without_unit("MsftLinuxPatchAutoAssess.timer")),
    ("tmr", "U:nosystemd", lambda g: g.without_program("systemctl")),
    ("asv", "F:disabled", lambda g: g.unit("MsftLinuxPatchAutoAssess.service", enabled="disabled")),
    ("asv", "F:missing", lambda g: g.without_unit("MsftLinuxPatchAutoAssess.service")),
    ("rep", "F:http404,0of1", lambda g: g.network("any http://azure.archive 0 404")),
    ("rep", "W:http403,1of1", lambda g: g.network("any http://azure.archive 0 403")),
    ("rep", "F:dns,0of1", lambda g: g.network("any http://azure.archive 6 000")),
    ("rep", "U:nolist", lambda g: g.remove("etc/apt/sources.list")),
    ("rep", "P:1of1", repos("etc/yum.repos.d/a.repo", YUM)),
    ("rep", "P:1of1", repos("etc/zypp/repos.d/a.repo", YUM)),
    (
        "rep",
        "P:2of2",
        repos("etc/apt/sources.list.d/a.sources", "URIs: http://a.example/u\nSuites: noble noble-updates\n"),
    ),
    # What a shell would take apart is not an address.
    ("rep", "U:nolist", repos("etc/yum.repos.d/a.repo", "[a]\nbaseurl=https://x.example/$(touch${IFS}owned);`id`\n")),
    ("arc", "N", lambda g: None),
    ("arc", "F:missing", lambda g: g.write("sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")),
    ("arc", "U:notag", lambda g: g.remove("sys/class/dmi/id/chassis_asset_tag")),
    ("arc", "P", arc()),
    ("ars", "P", arc()),
    ("ars", "F:himdsd,missing", arc(lambda g: g.without_unit("himdsd.service"))),
    ("ars", "F:gcad,failed", arc(lambda g: g.unit("gcad.service", active="failed"))),
    # Agents before the split had one service.
    ("ars", "P", arc(lambda g: g.without_unit("extd.service"))),
    ("ars", "U:nosystemd", arc(lambda g: g.without_program("systemctl"))),
    ("arx", "P", arc()),
    ("arx", "F:missing", arc(lambda g: g.remove("var/lib/waagent"))),
    ("are", "P", arc()),
    ("are", "F:time,3of4", arc(lambda g: g.network("any https://gbl.his.arc 28 000"))),
    ("are", "N", lambda g: None),
    ("dsk", "W:1000MB", lambda g: g.world("free", "9000000\n1024000\n")),
    ("dsk", "F:100MB", lambda g: g.world("free", "102400\n9000000\n")),
    ("dsk", "U:df", lambda g: g.world("free", "")),
    ("clk", "U:noanswer", lambda g: g.network(f"any {LOGIN} 6 000")),
    ("clk", "U:date", lambda g: g.world("headers", "Date: no date at all\r\n\r\n")),
]


def answers(output: str) -> dict[str, str]:
    """Lines between the marks, by code."""
    lines = output.splitlines()
    assert lines[0] == "patchwright-diagnosis 1 linux"
    assert lines[-1].startswith("patchwright-end ")
    return dict(line.split(":", 1) for line in lines[1:-1])


def read(output: str) -> Diagnosis:
    diagnosis = parse_diagnosis(output, OperatingSystem.LINUX)
    assert isinstance(diagnosis, Diagnosis), diagnosis
    return diagnosis


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_healthy_machine_passes_every_rule_that_applies_to_it(tmp_path: Path, shell: str) -> None:
    diagnosis = read(LinuxGuest(tmp_path).diagnose(shell))

    not_applicable = {"arc-agent", "arc-services", "arc-patch-extension", "arc-endpoints"}
    assert {rule.id for rule in diagnosis.rules(Result.NOT_APPLICABLE)} == not_applicable
    assert {rule.id for rule in diagnosis.rules(Result.WARNING, Result.FAILED, Result.UNKNOWN)} == set()


@pytest.mark.parametrize(("code", "said", "change"), SEEN, ids=[f"{code}-{said}" for code, said, _ in SEEN])
def test_each_rule_says_what_it_sees(tmp_path: Path, code: str, said: str, change: Change) -> None:
    guest = LinuxGuest(tmp_path)
    change(guest)

    assert answers(guest.diagnose())[code] == said


@pytest.mark.parametrize(("seconds", "said"), [(30, "P"), (90, "W"), (400, "F"), (-400, "F")])
def test_the_clock_is_compared_with_that_of_the_sign_in_service(tmp_path: Path, seconds: int, said: str) -> None:
    """Five minutes break every sign-in, whichever way they go."""
    guest = LinuxGuest(tmp_path)
    theirs = subprocess.run(["date", "-u", "-d", f"{seconds} seconds"], capture_output=True, text=True, check=True)
    guest.world("headers", f"HTTP/1.1 200 OK\r\nDate: {theirs.stdout.strip()}\r\n\r\n")

    assert answers(guest.diagnose())["clk"].startswith(f"{said}:")


def test_both_shells_say_the_same_of_the_same_machine(tmp_path: Path) -> None:
    guest = LinuxGuest(tmp_path)
    guest.workspace(OTHER)
    guest.remove("proc/100")

    said = [answers(guest.diagnose(shell)) for shell in SHELLS]
    # A second passes between the two.
    assert said[0] | {"clk": ""} == said[1] | {"clk": ""}


def test_a_rule_that_breaks_takes_no_other_along(tmp_path: Path, shell: str) -> None:
    """`uname`, `df`, `systemctl` and `curl` are gone: what did not need them is answered as before."""
    whole = answers(LinuxGuest(tmp_path / "a").diagnose(shell))
    guest = LinuxGuest(tmp_path / "b")
    for name in ("uname", "df", "systemctl", "curl"):
        guest.without_program(name)

    broken = answers(guest.diagnose(shell))

    assert broken.keys() == whole.keys()
    changed = {code for code in whole if broken[code] != whole[code]}
    needs = {"ims", "net", "ags", "jrd", "ods", "oms", "tls", "htp", "gua", "tmr", "asv", "rep", "dsk", "clk"}
    assert changed == needs
    assert all(broken[code].startswith("U:") for code in changed)


def test_a_proxy_that_opens_the_way_is_a_way(tmp_path: Path) -> None:
    """The agent's own proxy is used where there is none in the environment; its password is told to nobody."""
    guest = LinuxGuest(tmp_path)
    guest.write(f"{OMSAGENT}/proxy.conf", "http://user:secret@10.0.0.1:3128\n")
    guest.network(f"direct https://{WORKSPACE}.ods 7 000")

    output = guest.diagnose()

    assert answers(output)["ods"] == "P:viaproxy"
    assert "secret" not in output


def test_a_proxy_that_is_closed_is_no_way(tmp_path: Path) -> None:
    guest = LinuxGuest(tmp_path)
    guest.environment["https_proxy"] = "http://10.0.0.1:3128"
    guest.network(f"any https://{WORKSPACE}.ods 7 000")

    assert answers(guest.diagnose())["ods"] == "F:tcp,0of1"


def test_hosts_are_those_of_the_agents_own_cloud(tmp_path: Path) -> None:
    guest = LinuxGuest(tmp_path)
    guest.remove(OMSAGENT)
    guest.workspace(WORKSPACE, "opinsights.azure.us", "azure-automation.us")
    guest.environment["Cloud"] = "usgovernment"

    guest.diagnose()

    names = {url.split("/")[2] for url in guest.asked() if url.startswith("https://")} - {"www.bing.com"}
    assert names == {
        "login.microsoftonline.us",
        f"{WORKSPACE}.agentsvc.azure-automation.us",
        "eus2-jobruntimedata-prod-su1.azure-automation.us",
        f"{WORKSPACE}.ods.opinsights.azure.us",
        f"{WORKSPACE}.oms.opinsights.azure.us",
    }


def test_what_a_release_file_says_is_never_run(tmp_path: Path, shell: str) -> None:
    """What is read from the machine is data: it is printed as far as it is letters, and that is all."""
    guest = LinuxGuest(tmp_path)
    guest.write("etc/os-release", f'ID="$(touch {tmp_path}/owned)`id`;"\nVERSION_ID="{"9" * 500}\\n:P"\n')

    output = guest.diagnose(shell)

    assert not (tmp_path / "owned").exists()
    assert re.fullmatch(r"I:[a-z0-9._,+-]{1,40}", answers(output)["os"])


def test_nothing_in_the_machine_is_changed(tmp_path: Path, shell: str) -> None:
    guest = LinuxGuest(tmp_path)
    before = guest.tree()

    guest.diagnose(shell)

    assert guest.tree() == before


def test_the_script_holds_no_verb_that_changes_anything() -> None:
    """Neither a program that writes nor a redirection to a file; `zypper refresh` and its like take locks."""
    code = "\n".join(line for line in SCRIPT.read_text().splitlines() if not line.lstrip().startswith("#"))
    writers = (
        r"(?:^|[|;&({!]|\bthen|\bdo|\belse|\bsoon)\s*"
        r"((?:rm|mv|cp|ln|dd|tee|touch|mkdir|mktemp|chmod|chown|kill|pkill|reboot|shutdown|service|sysctl|mount|eval"
        r"|apt|apt-get|dpkg|yum|dnf|rpm|zypper|azcmagent)\b.*)"
        r"|(systemctl (?!show\b|\|\||\"\$2\").*)|(sed -i)|(curl .*-(?:X|d|T|o (?!/dev/null))\b.*)"
    )

    assert re.findall(writers, code, re.MULTILINE) == []
    assert set(re.findall(r"first_unit \w+ (\S+)", code)) == {"is-active", "is-enabled"}
    assert re.findall(r"(?<![<0-9&-])[0-9]?>+(?!&)\s*(?!/dev/null)[\"$/\w]\S*", re.sub(r"'[^']*'", "''", code)) == []


def test_every_rule_of_the_table_is_in_the_script_and_no_other() -> None:
    codes = re.findall(r"^rule ([a-z]+) ", SCRIPT.read_text(), re.MULTILINE)

    assert sorted(codes) == sorted(rule.code for rule in RULES.of(OperatingSystem.LINUX))
    assert {code for code, _, _ in SEEN} == set(codes)


def test_every_line_fits_and_so_does_the_longest_answer(tmp_path: Path) -> None:
    """Run Command keeps 4,096 bytes. The script lets no line be longer than 60, whatever a rule would say."""
    guest = LinuxGuest(tmp_path)
    guest.world("python", "3." + "1" * 5000 + "\n")
    guest.write("etc/os-release", f"ID={'x' * 5000}\nVERSION_ID={'y' * 5000}\n")
    guest.unit("walinuxagent.service", active="z" * 5000)
    output = guest.diagnose()
    assert max(len(line) + 1 for line in output.splitlines()[1:-1]) <= MOST_LINE

    longest = max(len(rule.code) for rule in RULES.rules) + len(":") + 42 + len("\n")
    marks = len("patchwright-diagnosis 1 linux\n") + len("patchwright-end 999 00000000\n")
    assert longest <= MOST_LINE
    assert "[ ${#said} -le 42 ]" in SCRIPT.read_text()
    assert marks + MOST_LINE * len(RULES.of(OperatingSystem.LINUX)) <= 4096


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        [program("shellcheck"), "--shell=sh", str(SCRIPT)], capture_output=True, text=True, check=False
    )

    assert done.stdout == ""
    assert done.returncode == 0
