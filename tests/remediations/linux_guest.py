"""A Linux machine to look into: a scratch root, and stand-ins for the programs that the diagnosis asks.

The search path holds the stand-ins and a few real programs that only read; a script that called anything else would
not find it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.parts import program

SCRIPT = Path(__file__).parents[2] / "remediations" / "scripts" / "linux" / "diagnose.sh"
READERS = ("awk", "cat", "cut", "date", "grep", "head", "od", "sed", "sort", "timeout", "tr", "uname")
WORKSPACE = "0f1e2d3c-1111-4222-8333-444455556666"
ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"

_CURL = """#!/bin/sh
url='' code='' straight='' quiet=''
while [ $# -gt 0 ]; do
    case $1 in
        --url) url=$2; shift ;;
        -w) code=1; shift ;;
        -o) quiet=1; shift ;;
        --noproxy) straight=1; shift ;;
    esac
    shift
done
printf '%s\\n' "$url" >>"$WORLD/asked"
exit=0 http=200
[ -n "$https_proxy" ] && [ -z "$straight" ] && through="via " || through=''
while read -r way prefix e h; do
    [ "$way" = via ] && [ -z "$through" ] && continue
    [ "$way" = direct ] && [ -n "$through" ] && continue
    case $url in "$prefix"*) exit=$e http=$h ;; esac
done <"$WORLD/network"
if [ -n "$code" ]; then printf '%s' "$http"; elif [ "$exit" = 0 ] && [ -z "$quiet" ]; then cat "$WORLD/headers"; fi
exit "$exit"
"""
_SYSTEMCTL = """#!/bin/sh
if [ "$1" = show ]; then
    if [ -f "$WORLD/units/$4" ]; then echo LoadState=loaded; else echo LoadState=not-found; fi
    exit 0
fi
is=$(sed -n "s/^$1 //p" "$WORLD/units/$2")
echo "$is"
[ "$is" = active ] || [ "$is" = enabled ]
"""
_DF = """#!/bin/sh
printf 'Filesystem 1024-blocks Used Available Capacity Mounted on\\n'
while read -r free; do printf '/dev/sda1 30000000 1 %s 1%% /\\n' "$free"; done <"$WORLD/free"
"""
_ID = """#!/bin/sh
cat "$WORLD/uid"
"""
_PYTHON = """#!/bin/sh
cat "$WORLD/python"
"""


@dataclass(slots=True)
class LinuxGuest:
    """A healthy Azure VM with the agents of both services, until something is changed."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in {"curl": _CURL, "systemctl": _SYSTEMCTL, "df": _DF, "id": _ID, "python3": _PYTHON}.items():
            self.program(name, text)
        for name in READERS:
            found = shutil.which(name)
            assert found, name
            (self.programs / name).symlink_to(found)
        self.write("etc/os-release", 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="20.04"\n')
        self.write("sys/class/dmi/id/chassis_asset_tag", f"{ASSET_TAG}\n")
        self.workspace(WORKSPACE)
        self.write("opt/microsoft/omsconfig/modules/nxOMSAutomationWorker/VERSION", "1.7\n")
        self.write("opt/microsoft/omsconfig/modules/nxOMSAutomationWorker/worker/configuration.py", "")
        self.process(
            100, "/opt/microsoft/omsagent/ruby/bin/ruby", "-c", "/etc/opt/microsoft/omsagent/conf/omsagent.conf"
        )
        self.process(101, "python", "/opt/microsoft/omsconfig/automationworker/worker/main.py")
        self.extension("Microsoft.CPlat.Core.LinuxPatchExtension-1.6.50", "success")
        self.write(
            "etc/apt/sources.list", "deb http://azure.archive.ubuntu.com/ubuntu/ focal main\n# deb cdrom:x y z\n"
        )
        self.unit("walinuxagent.service")
        self.unit("MsftLinuxPatchAutoAssess.timer")
        self.unit("MsftLinuxPatchAutoAssess.service")
        self.world("free", "9000000\n8000000\n")
        self.world("uid", "0\n")
        self.world("python", "3.8\n")
        self.network()
        now = subprocess.run(["date", "-u", "+%a, %d %b %Y %H:%M:%S GMT"], capture_output=True, text=True, check=True)
        self.world("headers", f"HTTP/2 200\r\ndate: {now.stdout.strip()}\r\n\r\n")

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def remove(self, path: str) -> None:
        target = self.root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()

    def world(self, name: str, text: str) -> None:
        file = self.folder / "world" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def program(self, name: str, text: str) -> None:
        self.programs.mkdir(parents=True, exist_ok=True)
        (self.programs / name).write_text(text, encoding="utf-8")
        (self.programs / name).chmod(0o755)

    def without_program(self, name: str) -> None:
        (self.programs / name).unlink()

    def network(self, *lines: str) -> None:
        """Lines `any|direct|via ADDRESS EXIT HTTP`, by the beginning of the address; the last that fits holds."""
        self.world("network", "".join(f"{line}\n" for line in lines))

    def unit(self, name: str, active: str = "active", enabled: str = "enabled") -> None:
        self.world(f"units/{name}", f"is-active {active}\nis-enabled {enabled}\n")

    def without_unit(self, name: str) -> None:
        (self.folder / "world" / "units" / name).unlink()

    def process(self, number: int, *words: str) -> None:
        self.write(f"proc/{number}/cmdline", "".join(f"{word}\0" for word in words))

    def extension(self, name: str, status: str) -> None:
        document = f'[{{"version": 1.0, "status": {{"name": "x", "operation": "Install", "status": "{status}"}}}}]'
        self.write(f"var/lib/waagent/{name}/status/0.status", document)

    def workspace(
        self, guid: str, domain: str = "opinsights.azure.com", automation: str = "azure-automation.net"
    ) -> None:
        self.write(
            f"etc/opt/microsoft/omsagent/{guid}/conf/omsadmin.conf",
            f"WORKSPACE_ID={guid}\nOMS_ENDPOINT=https://{guid}.ods.{domain}/OperationalData.svc/PostJsonDataItems\n"
            f"DSC_ENDPOINT=https://{guid}.agentsvc.{automation}/Accounts/{guid}/Nodes\n",
        )
        self.write(f"var/opt/microsoft/omsagent/{guid}/log/omsagent.log", "started\n")
        self.write(
            f"var/opt/microsoft/omsagent/{guid}/state/automationworker/worker.conf",
            f"[worker-required]\njrds_base_uri = https://eus2-jobruntimedata-prod-su1.{automation}\n",
        )

    def on_arc(self) -> None:
        """The same machine outside Azure, connected through Arc."""
        self.remove("sys/class/dmi/id/chassis_asset_tag")
        self.write("sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")
        self.remove("var/lib/waagent")
        self.write("opt/azcmagent/bin/azcmagent", "")
        for name in ("himdsd", "extd", "gcad"):
            self.unit(f"{name}.service")
        self.extension("Microsoft.SoftwareUpdateManagement.LinuxOsUpdateExtension-1.0.20", "success")

    def without_old_agent(self) -> None:
        self.remove("etc/opt")
        self.remove("var/opt")

    def asked(self) -> list[str]:
        file = self.folder / "world" / "asked"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    def tree(self) -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in sorted(self.root.rglob("*")) if file.is_file()}

    def diagnose(self, shell: str = "dash") -> str:
        """What the real script prints of this machine."""
        environment = {"PATH": str(self.programs), "WORLD": str(self.folder / "world"), **self.environment}
        done = subprocess.run(
            [program(shell), str(SCRIPT), str(self.root)],
            capture_output=True,
            env=environment,
            cwd=self.root,
            check=False,
            timeout=60,
            umask=0o077,
        )
        assert done.returncode == 0, os.fsdecode(done.stderr)
        return done.stdout.decode("ascii")
