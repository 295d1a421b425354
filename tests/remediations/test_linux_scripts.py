"""The scripts for Linux, run for real: under dash and bash, in a scratch root, with programs that note their calls."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.parts import program

FOLDER = Path(__file__).parents[2] / "remediations" / "scripts" / "linux"
NAMES = (
    "clean-package-cache",
    "collect-worker-log",
    "configure-packages",
    "fix-dependencies",
    "rebuild-rpmdb",
    "refresh-metadata",
    "restore-rpmdb",
)
SHELLS = ("dash", "bash")
STEP = "0123456789abcdef"
TOOLS = (
    *("awk", "cat", "cp", "cut", "date", "df", "du", "find", "grep", "gzip", "head", "ls", "mkdir", "rm"),
    *("sed", "sh", "sleep", "tail", "tee", "tr"),
)
ALL_MANAGERS = ("systemctl", "apt-get", "dpkg", "yum", "rpm", "zypper")
LISTING = 'echo "${0##*/} $*" >>"$CALLS"\n'

by_name = pytest.mark.parametrize("name", NAMES)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a script ended."""

    code: int
    output: str

    @property
    def said(self) -> dict[str, object]:
        """The outcome, as the step reads it: the last line."""
        last = self.output.rstrip("\n").rsplit("\n", 1)[-1]
        assert last.startswith("patchwright-outcome: ")
        found = json.loads(last.removeprefix("patchwright-outcome: "))
        assert isinstance(found, dict)
        return found

    @property
    def outcome(self) -> tuple[int, object]:
        return self.code, self.said["outcome"]


class Guest:
    """A scratch root, and the programs that its scripts find."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.root, self.bin, self.calls_file = folder / "root", folder / "bin", folder / "calls"
        self.shell = program(shell)
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(program(tool))
        self.write("etc/os-release", "ID=test\n")

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def has(self, *programs: str, **bodies: str) -> None:
        """Programs that write down how they were called, and then do what `bodies` say."""
        for name in (*programs, *bodies):
            file = self.bin / name.replace("_", "-")
            # A tool of this machine is linked here; what is written must not reach it.
            file.unlink(missing_ok=True)
            file.write_text(f"#!/bin/sh\n{LISTING}{bodies.get(name, '')}\n")
            file.chmod(0o755)

    def run(self, name: str, parameters: Mapping[str, str] | None = None) -> Ended:
        done = subprocess.run(
            [self.shell, str(FOLDER / f"{name}.sh")],
            env={
                "PATH": str(self.bin),
                "CALLS": str(self.calls_file),
                "ROOT": str(self.root),
                "PATCHWRIGHT_ROOT": str(self.root),
                "StepId": STEP,
                "LockSeconds": "0",
                **(parameters or {}),
            },
            capture_output=True,
            timeout=60,
            check=False,
        )
        # Run Command keeps the last 4,096 bytes of what a script writes.
        assert len(done.stdout) + len(done.stderr) < 4096
        assert done.stdout.isascii()
        return Ended(code=done.returncode, output=done.stdout.decode())

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    def record(self, name: str, place: str = "var/lib") -> Path:
        return self.root / place / "patchwright" / STEP / name

    def files(self) -> dict[str, bytes]:
        """Everything outside our own records."""
        return {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and "patchwright" not in file.parts
        }


@pytest.fixture(params=SHELLS)
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> Guest:
    return Guest(tmp_path, str(request.param))


def script(name: str) -> str:
    return (FOLDER / f"{name}.sh").read_text(encoding="utf-8")


class TestEveryScript:
    """What holds for each of them, whatever it does."""

    @by_name
    def test_it_says_its_own_name(self, name: str) -> None:
        assert script(name).splitlines()[:2] == ["#!/bin/sh", f"# patchwright-script: {name}"]

    @by_name
    def test_shellcheck_has_nothing_to_say(self, name: str) -> None:
        shellcheck = program("shellcheck")
        done = subprocess.run(
            [shellcheck, "--shell=sh", str(FOLDER / f"{name}.sh")], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")

    @by_name
    def test_the_common_part_is_the_same_everywhere(self, name: str) -> None:
        """A script is sent alone, so each carries it; it must not drift apart."""

        def common(text: str) -> str:
            return text.split("# --- the same in every script of this folder\n")[1].partition("\n# --- ")[0]

        assert common(script(name)) == common(script(NAMES[0]))

    def test_waiting_for_a_lock_is_the_same_wherever_a_package_manager_is_called(self) -> None:
        """Two of them also tell which package manager is there, in the same words, after what all have in common."""
        mark = "# --- the same where a package manager is called\n"
        parts = [script(name).split(mark)[1].partition("\n# --- ")[0] for name in NAMES if mark in script(name)]
        shared = min(parts, key=len)

        assert "patiently()" in shared
        assert len(parts) > 4
        assert all(part.startswith(shared) for part in parts)
        assert len({part for part in parts if "manager()" in part}) == 1
        assert {part for part in parts if "manager()" not in part} == {shared}

    @by_name
    def test_it_kills_nothing_and_removes_no_lock(self, name: str) -> None:
        text = script(name)
        assert not re.search(r"\b(kill|pkill|killall|fuser|reboot|shutdown|systemctl|service)\b", text)
        removed = [line for line in text.splitlines() if re.search(r"\brm\b", line) and not line.startswith("#")]
        assert not any("lock" in line.replace("*.lock) continue", "") for line in removed)
        assert not re.search(r"walinuxagent|waagent", text)

    @by_name
    @pytest.mark.parametrize(
        "parameters",
        [
            {"StepId": ""},
            {"StepId": "0123456789abcde"},
            {"StepId": "../../../../etc/x"},
            {"StepId": "0123456789ABCDEF"},
            {"StepId": "$(touch pwned)00"},
            {"LockSeconds": ""},
            {"LockSeconds": "-1"},
            {"LockSeconds": "08"},
            {"LockSeconds": "1; reboot"},
            {"LockSeconds": "99999"},
        ],
        ids=str,
    )
    def test_a_parameter_of_another_form_is_refused_before_anything_is_done(
        self, guest: Guest, name: str, parameters: Mapping[str, str]
    ) -> None:
        guest.has(*ALL_MANAGERS)
        before = guest.files()

        ended = guest.run(name, {**parameters} if parameters.get("LockSeconds") != "" else {"LockSeconds": " "})

        assert ended.outcome == (3, "refused")
        assert guest.calls == []
        assert guest.files() == before
        assert not (guest.root / "var").exists()

    @by_name
    def test_a_machine_without_any_package_manager_is_left_as_it_is(self, guest: Guest, name: str) -> None:
        before = guest.files()

        ended = guest.run(name)

        assert ended.outcome == ((0, "collected") if name == "collect-worker-log" else (3, "refused"))
        assert guest.files() == before

    def test_the_same_step_sent_twice_is_done_once_and_says_the_same(self, guest: Guest) -> None:
        guest.has("apt-get", "dpkg")

        first, second = guest.run("refresh-metadata"), guest.run("refresh-metadata")

        assert first.said == second.said
        assert guest.calls == ["apt-get clean", "apt-get update"]

    def test_a_step_that_failed_may_be_sent_again(self, guest: Guest) -> None:
        guest.has("dpkg", apt_get="exit 100")
        assert guest.run("refresh-metadata").outcome == (1, "failed")

        guest.has("apt-get")
        assert guest.run("refresh-metadata").outcome == (0, "refreshed")

    def test_what_a_program_says_cannot_forge_the_outcome(self, guest: Guest) -> None:
        """Quotes, control characters and a line that looks like an outcome come back as harmless text."""
        forged = 'patchwright-outcome: {"outcome":"refreshed"}'
        guest.has("dpkg", apt_get=f"printf '%s\\n\"\\\\\\033[31m\\n%s' '{forged}' '{forged}'; exit 1")

        ended = guest.run("refresh-metadata")

        assert ended.outcome == (1, "failed")
        marked = [line for line in ended.output.splitlines() if line.startswith("patchwright-outcome")]
        assert len(marked) == 1

    def test_a_megabyte_of_output_still_fits(self, guest: Guest) -> None:
        guest.has("dpkg", apt_get="head -c 1048576 /dev/zero | tr '\\0' '\\377'; echo E: Hash Sum mismatch; exit 100")

        ended = guest.run("refresh-metadata")

        assert ended.outcome == (1, "failed")
        assert "Hash Sum mismatch" in str(ended.said["reason"])


class TestRefreshMetadata:
    @pytest.mark.parametrize(
        ("programs", "calls"),
        [
            (("apt-get", "dpkg"), ["apt-get clean", "apt-get update"]),
            (
                ("yum", "rpm"),
                ["yum --setopt=exit_on_lock=True clean all", "yum -q --setopt=exit_on_lock=True makecache"],
            ),
            # SUSE may have an apt-get of its own, which is zypper in disguise.
            (
                ("zypper", "rpm", "apt-get", "dpkg"),
                ["zypper --non-interactive clean --all", "zypper --non-interactive refresh --force"],
            ),
        ],
        ids=["apt", "yum", "zypper"],
    )
    def test_the_lists_are_thrown_away_and_read_again(
        self, guest: Guest, programs: tuple[str, ...], calls: list[str]
    ) -> None:
        guest.has(*programs)

        assert guest.run("refresh-metadata").outcome == (0, "refreshed")
        assert guest.calls == calls

    def test_what_was_there_is_noted_first(self, guest: Guest) -> None:
        guest.write("var/lib/apt/lists/archive_InRelease", "old")
        guest.has("dpkg", apt_get='[ "$1" = clean ] && rm -f "$ROOT/var/lib/apt/lists/archive_InRelease"; exit 0')

        guest.run("refresh-metadata")

        assert "archive_InRelease" in (guest.record("refresh-metadata") / "before").read_text()

    def test_apt_s_silent_failure_is_one(self, guest: Guest) -> None:
        """It ends with 0 where it used an old list in the place of one that it could not have."""
        warning = "W: Failed to fetch http://archive.ubuntu.com/ubuntu/dists/focal/InRelease  Could not resolve"
        guest.has("dpkg", apt_get=f'[ "$1" = clean ] || echo "{warning}"')

        ended = guest.run("refresh-metadata")

        assert ended.outcome == (1, "failed")
        assert "Failed to fetch" in str(ended.said["reason"])


class TestLocks:
    """Whoever holds a lock keeps it."""

    HELD = (
        "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)",
        "Another app is currently holding the yum lock; waiting for it to exit...",
        "System management is locked by the application with pid 4242 (zypper).",
    )

    @pytest.mark.parametrize("said", HELD)
    def test_a_lock_that_stays_ends_the_script_in_time(self, guest: Guest, said: str) -> None:
        guest.write("var/lib/dpkg/lock-frontend", "4242")
        guest.has("dpkg", apt_get=f"echo '{said}'; exit 100")

        ended = guest.run("refresh-metadata", {"LockSeconds": "2"})

        assert ended.outcome == (1, "failed")
        assert "lock" in str(ended.said["reason"])
        assert len(guest.calls) > 1
        assert (guest.root / "var/lib/dpkg/lock-frontend").read_text() == "4242"

    def test_a_lock_that_is_given_back_is_waited_for(self, guest: Guest) -> None:
        once = f'[ "$(grep -c . "$CALLS")" -gt 1 ] || {{ echo "{self.HELD[0]}"; exit 100; }}'
        guest.has("dpkg", apt_get=once)

        assert guest.run("refresh-metadata", {"LockSeconds": "2"}).outcome == (0, "refreshed")
        assert guest.calls == ["apt-get clean", "apt-get clean", "apt-get update"]


AUDIT = "The following packages are only half configured:\n linux-image-azure  Linux kernel image"


class TestConfigurePackages:
    def interrupted(self, guest: Guest, *, heals: bool = True) -> None:
        guest.write("var/lib/dpkg/status", "Package: linux-image-azure\n")
        mends = 'touch_ok() { echo ok >"$ROOT/healed"; }; case "$*" in *--configure*) touch_ok;; esac' if heals else ""
        audit = f"""{mends}
if [ "$1" = --audit ] && [ ! -f "$ROOT/healed" ]; then echo '{AUDIT}'; fi"""
        guest.has(dpkg=audit)

    def test_half_installed_packages_are_configured_and_keep_changed_settings(self, guest: Guest) -> None:
        self.interrupted(guest)

        ended = guest.run("configure-packages")

        assert ended.outcome == (0, "configured")
        assert ended.said["halfInstalled"] == 1
        assert guest.calls == [
            "dpkg --audit",
            "dpkg --force-confdef --force-confold --configure -a",
            "dpkg --audit",
        ]
        assert (guest.record("configure-packages") / "status").read_text() == "Package: linux-image-azure\n"

    def test_what_is_whole_is_left_alone(self, guest: Guest) -> None:
        guest.has("dpkg")

        assert guest.run("configure-packages").outcome == (0, "nothing-to-do")
        assert guest.calls == ["dpkg --audit"]

    def test_a_journal_that_was_never_applied_is_an_interruption_too(self, guest: Guest) -> None:
        """`dpkg was interrupted` means this one; the audit may be silent about it."""
        guest.write("var/lib/dpkg/updates/0001", "Package: x\n")
        guest.has("dpkg")

        assert guest.run("configure-packages").outcome == (0, "configured")

    def test_packages_that_stay_half_installed_are_a_failure(self, guest: Guest) -> None:
        self.interrupted(guest, heals=False)

        ended = guest.run("configure-packages")

        assert ended.outcome == (1, "failed")
        assert "linux-image-azure" in str(ended.said["reason"])


BROKEN_RPM = """
case "$1" in
--eval) echo /var/lib/rpm ;;
--rebuilddb)
    [ -f "$ROOT/../hopeless" ] || { echo new >"$ROOT/var/lib/rpm/Packages"; echo x >"$ROOT/var/lib/rpm/Made"; } ;;
-qa)
    if grep -q new "$ROOT/var/lib/rpm/Packages"; then echo bash-5; echo zlib-1; exit 0; fi
    echo 'error: rpmdb open failed' >&2
    exit 1 ;;
esac
"""


class TestRebuildRpmdb:
    def broken(self, guest: Guest) -> None:
        guest.write("var/lib/rpm/Packages", b"damaged \xff\x00")
        guest.write("var/lib/rpm/.rpm.lock", "")
        guest.has(rpm=BROKEN_RPM)

    def test_the_database_is_copied_and_then_rebuilt(self, guest: Guest) -> None:
        self.broken(guest)

        ended = guest.run("rebuild-rpmdb")

        assert ended.outcome == (0, "rebuilt")
        assert ended.said["packages"] == 2
        assert (Path(str(ended.said["copy"])) / "Packages").read_bytes() == b"damaged \xff\x00"
        assert guest.calls == ["rpm -qa", "rpm --eval %{_dbpath}", "rpm --rebuilddb", "rpm -qa"]

    def test_the_copy_can_be_put_back_to_the_byte(self, guest: Guest) -> None:
        self.broken(guest)
        before = guest.files()
        guest.run("rebuild-rpmdb")

        assert guest.run("restore-rpmdb").outcome == (0, "restored")
        assert guest.files() == before
        # And the whole once more.
        assert guest.run("rebuild-rpmdb").outcome == (0, "rebuilt")
        assert guest.run("restore-rpmdb").outcome == (0, "restored")
        assert guest.files() == before

    def test_nothing_is_put_back_where_nothing_was_copied(self, guest: Guest) -> None:
        self.broken(guest)
        before = guest.files()

        assert guest.run("restore-rpmdb").outcome == (3, "refused")
        assert guest.files() == before

    def test_a_database_that_rpm_reads_is_left_alone(self, guest: Guest) -> None:
        self.broken(guest)
        guest.write("var/lib/rpm/Packages", "new")

        assert guest.run("rebuild-rpmdb").outcome == (0, "nothing-to-do")
        assert guest.calls == ["rpm -qa"]

    def test_without_room_for_a_copy_nothing_is_touched(self, guest: Guest) -> None:
        self.broken(guest)
        guest.has(df="echo Filesystem; echo '/dev/sda1 1 1 2 99% /'")
        before = guest.files()

        assert guest.run("rebuild-rpmdb").outcome == (3, "refused")
        assert guest.files() == before
        assert "rpm --rebuilddb" not in guest.calls

    def test_one_that_cannot_be_rebuilt_is_a_failure_and_the_copy_stays(self, guest: Guest) -> None:
        self.broken(guest)
        (guest.root.parent / "hopeless").touch()

        assert guest.run("rebuild-rpmdb").outcome == (1, "failed")
        assert (guest.record("rebuild-rpmdb") / "rpm" / "Packages").read_bytes() == b"damaged \xff\x00"


class TestFixDependencies:
    BROKEN = """
case "$1" in
check) [ -f "$ROOT/fixed" ] || { echo 'E: Unmet dependencies. Try apt --fix-broken install'; exit 100; } ;;
-f) [ -f "$ROOT/stuck" ] && { echo 'E: Packages need to be removed but remove is disabled.'; exit 100; }
    echo ok >"$ROOT/fixed"; echo 'Setting up libssl3 (3.0.2) ...' ;;
esac
"""

    def test_what_is_missing_is_installed_and_nothing_is_removed(self, guest: Guest) -> None:
        guest.write("var/lib/dpkg/status", "Package: libssl3\n")
        guest.has("dpkg", apt_get=self.BROKEN)

        ended = guest.run("fix-dependencies")

        assert ended.outcome == (0, "fixed")
        assert ended.said["installed"] == 1
        options = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
        assert guest.calls == ["apt-get check", f"apt-get -f install -y --no-remove {options}", "apt-get check"]
        assert (guest.record("fix-dependencies") / "status").read_text() == "Package: libssl3\n"

    def test_where_a_package_would_have_to_go_it_stops(self, guest: Guest) -> None:
        guest.write("stuck", "")
        guest.has("dpkg", apt_get=self.BROKEN)

        ended = guest.run("fix-dependencies")

        assert ended.outcome == (1, "failed")
        assert "remove is disabled" in str(ended.said["reason"])

    def test_what_is_met_is_left_alone(self, guest: Guest) -> None:
        guest.has("dpkg", "apt-get")

        assert guest.run("fix-dependencies").outcome == (0, "nothing-to-do")
        assert guest.calls == ["apt-get check"]

    @pytest.mark.parametrize("programs", [("yum", "rpm"), ("zypper", "rpm")])
    def test_other_package_managers_are_refused(self, guest: Guest, programs: tuple[str, ...]) -> None:
        guest.has(*programs)

        assert guest.run("fix-dependencies").outcome == (3, "refused")
        assert guest.calls == []


class TestCleanPackageCache:
    @pytest.mark.parametrize(
        ("programs", "call"),
        [
            (("apt-get", "dpkg"), "apt-get clean"),
            (("yum", "rpm"), "yum --setopt=exit_on_lock=True clean packages"),
            (("zypper", "rpm"), "zypper --non-interactive clean"),
        ],
        ids=["apt", "yum", "zypper"],
    )
    def test_only_the_manager_s_own_cache_is_cleaned(self, guest: Guest, programs: tuple[str, ...], call: str) -> None:
        guest.write("var/cache/apt/archives/x.deb", "x")
        guest.has(*programs)

        ended = guest.run("clean-package-cache")

        assert ended.outcome == (0, "cleaned")
        assert guest.calls == [call]
        assert isinstance(ended.said["freeKbBefore"], int)
        assert isinstance(ended.said["freeKbAfter"], int)

    def test_its_record_does_not_need_the_full_disk(self, guest: Guest) -> None:
        guest.write("var/cache/apt/archives/x.deb", "x")
        guest.has("apt-get", "dpkg")

        guest.run("clean-package-cache")

        assert "x.deb" in (guest.record("clean-package-cache", "run") / "before").read_text()
        assert not guest.record("clean-package-cache").exists()


class TestCollectWorkerLog:
    LOGS = "var/opt/microsoft/omsagent/run/automationworker"

    def test_the_logs_are_kept_and_the_end_is_shown(self, guest: Guest) -> None:
        guest.write(f"{self.LOGS}/omsupdatemgmt.log", "first line\nlast line\n")
        guest.write(f"{self.LOGS}/worker.log", b"\xff\xfe mixed \x00 bytes\n")
        before = guest.files()

        ended = guest.run("collect-worker-log")

        assert ended.outcome == (0, "collected")
        assert ended.said["files"] == 2
        kept = guest.record("collect-worker-log")
        assert gzip.decompress((kept / "omsupdatemgmt.log.gz").read_bytes()) == b"first line\nlast line\n"
        assert gzip.decompress((kept / "worker.log.gz").read_bytes()) == b"\xff\xfe mixed \x00 bytes\n"
        assert "last line" in ended.output
        assert guest.files() == before

    def test_of_a_huge_log_the_last_megabyte_is_kept(self, guest: Guest) -> None:
        guest.write(f"{self.LOGS}/omsupdatemgmt.log", b"\xe9" * 3_000_000 + b"the end\n")

        ended = guest.run("collect-worker-log")

        assert "the end" in ended.output
        kept = gzip.decompress((guest.record("collect-worker-log") / "omsupdatemgmt.log.gz").read_bytes())
        assert len(kept) == 1_048_576
        assert kept.endswith(b"the end\n")

    def test_no_log_is_no_failure(self, guest: Guest) -> None:
        """What cannot be kept must not keep the machine from being mended."""
        ended = guest.run("collect-worker-log")

        assert ended.outcome == (0, "collected")
        assert ended.said["files"] == 0
