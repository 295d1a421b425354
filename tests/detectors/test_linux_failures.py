"""What package managers say, and the cause that the data file has for it."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.linux_failures import InvalidLinuxFailures, causes, linux_failures, parse_linux_failures

SCRIPTS = Path(__file__).parents[2] / "remediations" / "scripts" / "linux"

SAID = [
    ("E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.", 0),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)", 1),
    ("E: Could not get lock /var/lib/apt/lists/lock - open (11: Resource temporarily unavailable)", 1),
    ("Another app is currently holding the yum lock; waiting for it to exit...", 1),
    ("System management is locked by the application with pid 2312 (zypper).", 1),
    ("zypper exited with code 7", 1),
    ("rpmdb: BDB0113 Thread/process 1234/140 failed: BDB1507 Thread died in Berkeley DB library", 2),
    ("error: rpmdb open failed", 2),
    ("error: db5 error(-30973) from dbenv->failchk: BDB0087 DB_RUNRECOVERY: Fatal error, run database recovery", 2),
    ("E: Failed to fetch http://azure.archive.ubuntu.com/ubuntu/dists/focal/InRelease  Hash Sum mismatch", 3),
    ("https://rhui-1.microsoft.com/pulp/repos/repodata/repomd.xml: [Errno 14] HTTPS Error 404 - Not Found", 3),
    ("Error: Cannot retrieve metalink for repository: epel/x86_64. Please verify its path and try again", 3),
    ("Metadata file does not match checksum", 3),
    ("zypper exit code: 106", 3),
    # A name that is not resolved is said in the same breath as what could not be read because of it.
    ("W: Failed to fetch http://azure.archive.ubuntu.com/ubuntu/dists/focal/InRelease  Could not resolve 'azure'", 4),
    ('repomd.xml: [Errno 14] curl#6 - "Could not resolve host: mirrorlist.centos.org; Unknown error"', 4),
    ("Err:1 http://security.ubuntu.com/ubuntu focal-security InRelease\n  Temporary failure resolving 'x'", 4),
    ("E: Failed to fetch http://10.0.0.4/x  Connection timed out [IP: 10.0.0.4 80]", 5),
    ("Failed to fetch http://archive.ubuntu.com/ubuntu/pool/x.deb  404  Not Found", 6),
    ("The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 3B4FE6AC", 7),
    ('[Errno 14] curl#60 - "Peer\'s Certificate has expired."', 7),
    ("The following packages have unmet dependencies:\n linux-azure : Depends: linux-image-azure", 8),
    ("nothing provides libfoo.so.1 needed by bar-1.2-3.x86_64", 9),
    ("Protected multilib versions: libgcc-4.8.5-44.el7.x86_64 != libgcc-4.8.5-39.el7.i686", 9),
    ("Problem: package a-1.x86_64 requires b >= 2, but none of the providers can be installed", 9),
    ("dpkg: error processing archive /var/cache/apt/x.deb: No space left on device", 10),
    ("*** System restart required ***", 11),
    ("zypper exited with status 102", 11),
]
CAUSES = (
    *("packages-interrupted", "lock-held", "rpm-database-broken", "stale-metadata", "repository-not-resolved"),
    *("repository-timed-out", "repository-unreachable", "repository-not-trusted", "dependencies-unmet"),
    *("dependencies-unmet-rpm", "disk-full", "reboot-needed"),
)


@pytest.mark.parametrize(("said", "cause"), SAID, ids=[said[:40] for said, _ in SAID])
def test_what_a_package_manager_says_has_a_cause(said: str, cause: int) -> None:
    told = causes(f"Reading package lists...\n{said}\nDone")

    assert told[0].failure.id == CAUSES[cause]


def test_every_cause_of_the_file_is_in_the_table() -> None:
    assert {row.id for row in linux_failures()} == set(CAUSES)


@pytest.mark.parametrize(
    "decoy",
    [
        "",
        "0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.",
        "Setting up openssl (1.1.1f-1ubuntu2.24) ...",
        "dpkg is not locked",
        "zypper exited with code 0",
        "zypper exited with code 70",
        "Nothing to do",
    ],
)
def test_ordinary_words_mean_nothing(decoy: str) -> None:
    assert causes(decoy) == ()


def test_a_full_disk_comes_before_everything_that_it_brings_about() -> None:
    said = "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a'\nNo space left on device"

    assert [told.failure.id for told in causes(said)] == ["disk-full", "packages-interrupted"]


def test_the_line_that_told_is_kept_short_and_plain() -> None:
    said = "x" * 500_000 + "\x1b[31m No space left on device \x00" + "y" * 500_000

    line = causes(said)[0].line

    assert "No space left on device" in line
    assert len(line) <= 300
    assert line.isprintable()


@given(st.text(), st.sampled_from([said for said, _ in SAID]), st.text())
def test_whatever_stands_around_it_the_cause_is_found(before: str, said: str, after: str) -> None:
    found = {told.failure.id for told in causes(f"{before}\n{said}\n{after}")}

    assert found >= {told.failure.id for told in causes(said)}


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    for told in causes(text, text[::-1]):
        assert told.line.isprintable()


class TestTheFile:
    """Held against what it promises, and refused where it is wrong."""

    def test_every_action_is_a_script_and_advice_names_the_machine(self) -> None:
        for row in linux_failures():
            assert row.action == "none" or (SCRIPTS / f"{row.action}.sh").is_file()
            assert (row.action == "none") >= (row.action_class == "advise")
            assert "{machine}" in row.means
            assert {*re.findall(r"\{(\w*)\}", " ".join((row.means, *row.advice)))} <= {"machine", "deployment"}
            assert row.reviewed >= date(2026, 1, 1)

    GOOD = (
        '{"id": "a", "pattern": "x", "means": "m", "class": "auto", "action": "none", "advice": ["b"], '
        '"source": "s", "reviewed": "2026-11-22"}'
    )

    def test_a_row_is_read_as_it_stands(self) -> None:
        (row,) = parse_linux_failures(f"[{self.GOOD}]")

        assert (row.id, row.pattern.pattern, row.advice, row.reviewed) == ("a", "x", ("b",), date(2026, 11, 22))

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "not JSON"),
            ("{}", "not a list"),
            ("[]", "not a list"),
            ("[1]", "row 1"),
            (f"[{GOOD}, {GOOD}]", "the id a is there twice"),
        ],
    )
    def test_a_broken_file_is_refused_with_the_place(self, text: str, says: str) -> None:
        with pytest.raises(InvalidLinuxFailures, match=says):
            parse_linux_failures(text)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("pattern", "("),
            ("class", "perhaps"),
            ("reviewed", "yesterday"),
            ("advice", []),
            ("advice", "text"),
            ("id", " "),
            ("more", "x"),
            ("means", 3),
        ],
    )
    def test_a_broken_row_is_refused_with_its_number(self, field: str, value: object) -> None:
        row = json.loads(self.GOOD) | {field: value}
        with pytest.raises(InvalidLinuxFailures, match="row 1"):
            parse_linux_failures(json.dumps([row]))
