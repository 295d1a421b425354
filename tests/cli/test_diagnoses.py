"""Diagnoses at hand: named on the command line, or in a folder of facts."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from cli.arguments import Sweep, parse
from cli.diagnoses import MOST, kept_diagnoses, kept_in
from cli.estate import offline_engine
from cli.hands import Failed, Hands, Usage
from cli.progress import ProgressLine
from engine.engine import Engine
from engine.ports import Progress
from engine.settings import Settings
from tests.builders import ACCOUNT, SUBSCRIPTION, WORKSPACE, a_machine
from tests.diagnoses import an_answer

WEB = a_machine("web-01")


def test_the_machine_is_named_by_its_id_and_never_by_its_name() -> None:
    command = parse(["sweep", "--diagnosis", f"{WEB.arm_id}=a=b.json", "--diagnosis", f"{WEB.arm_id}2=c.txt"])

    assert isinstance(command, Sweep)
    assert command.diagnoses == ((WEB.id, Path("a=b.json")), (f"{WEB.id}2", Path("c.txt")))


@pytest.mark.parametrize("text", ["web-01=a.json", "a.json", f"{WEB.arm_id}", f"{WEB.arm_id}=", "=a.json"])
def test_what_names_no_machine_or_no_file_is_wrong_usage(text: str) -> None:
    with pytest.raises(Usage, match="--diagnosis: "):
        parse(["sweep", "--diagnosis", text])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_that_shells_write(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "web.txt"
    file.write_bytes(f"Größe\r\n{an_answer()}".encode(encoding))

    assert kept_diagnoses([(WEB.id, file)]) == {WEB.id: f"Größe\r\n{an_answer()}"}


def test_what_is_no_text_is_kept_and_judged_later(tmp_path: Path) -> None:
    """As unreadable: the sweep does not end for it."""
    file = tmp_path / "web.bin"
    file.write_bytes(b"\xff\xfe\xff" + bytes(range(256)))

    assert "\N{REPLACEMENT CHARACTER}" in kept_diagnoses([(WEB.id, file)])[WEB.id]


def test_a_file_that_is_not_there_or_far_too_large_is_named(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * (MOST + 1))

    with pytest.raises(Failed, match="missing cannot be read"):
        kept_diagnoses([(WEB.id, tmp_path / "missing")])
    with pytest.raises(Failed, match="huge is larger than 4 MB"):
        kept_diagnoses([(WEB.id, huge)])


def test_a_folder_has_them_with_its_guests(tmp_path: Path) -> None:
    (tmp_path / "guest").mkdir()
    records = [{"RuleId": "WUServiceRunningCheck", "CheckResult": "Failed"}]
    guests = {
        "/A": {"diagnosis": an_answer()},
        "/B": {"diagnosis": records, "healthService": "Stopped"},
        # Describes a simulated guest: nobody printed that.
        "/C": {"diagnosis": {"dsk": "F:100MB"}},
        "/D": {"healthService": "Stopped"},
    }
    (tmp_path / "guest" / "guests.json").write_text(json.dumps(guests))

    assert kept_in(tmp_path) == {"/a": an_answer(), "/b": json.dumps(records)}
    assert kept_in(None) == {}
    assert kept_in(tmp_path / "nowhere") == {}


def test_the_machines_of_a_folder_are_never_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A simulated machine would say that it is well, which is nothing that the folder knows."""
    asked: list[Settings] = []

    def build(settings: Settings, *, progress: Progress) -> Engine:
        asked.append(settings)
        raise ValueError("far enough")

    least = {
        "PATCHWRIGHT_SUBSCRIPTIONS": SUBSCRIPTION,
        "PATCHWRIGHT_AUTOMATION_ACCOUNTS": ACCOUNT,
        "PATCHWRIGHT_WORKSPACES": WORKSPACE,
    }
    monkeypatch.setattr("cli.estate.served", lambda _folder: nullcontext(least))
    monkeypatch.setenv("PATCHWRIGHT_PROBE", "suspects")
    monkeypatch.setenv("DRY_RUN", "false")
    hands = Hands(build=build, simulate=lambda _: 0, export=lambda *_: pytest.fail("not asked for"))

    with pytest.raises(Failed, match="far enough"), offline_engine(hands, tmp_path, "run-1", ProgressLine()):
        pass

    (settings,) = asked
    assert (settings.probe, settings.dry_run) == ("never", True)
