"""The check that the locks are current finds each way in which they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import lock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the check reads, in a place where they may be changed."""
    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt", "requirements-scan.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "APP", tmp_path / "requirements.txt")
    monkeypatch.setattr(lock, "DEV", tmp_path / "requirements-dev.txt")
    monkeypatch.setattr(lock, "SCAN", tmp_path / "requirements-scan.txt")
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_locks_of_this_clone_are_current() -> None:
    assert lock.main(["--check"]) == 0


def test_a_new_requirement_needs_a_new_lock(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(clone / "pyproject.toml", '"cattrs>=', '"attrs>=1",\n    "cattrs>=')

    assert lock.main(["--check"]) == 1

    said = capsys.readouterr().err
    assert "requirements.txt: pyproject.toml has changed since it was made: run make lock" in said
    assert "requirements-dev.txt: pyproject.toml has changed since it was made: run make lock" in said


def test_other_settings_of_the_project_do_not_matter(clone: Path) -> None:
    change(clone / "pyproject.toml", "line-length = 120", "line-length = 100")
    assert lock.main(["--check"]) == 0


def test_a_pin_that_was_edited_by_hand_is_found(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below what the project asks for, and other than what the clone runs."""
    pins = (clone / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (pin,) = [line.removesuffix(" \\") for line in pins if line.startswith("tenacity==")]
    change(clone / "requirements.txt", pin, "tenacity==1.0")

    assert lock.main(["--check"]) == 1

    said = capsys.readouterr().err
    assert "requirements.txt: tenacity>=9.1 is pinned at 1.0" in said
    assert "requirements-dev.txt: tenacity is" in said


def test_an_address_in_a_lock_is_found(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(clone / "requirements.txt", "# Made by", "--index-url https://registry.example/simple\n# Made by")
    assert lock.main(["--check"]) == 1
    assert "requirements.txt: names an address" in capsys.readouterr().err


def test_a_missing_lock_is_named(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "requirements-dev.txt").unlink()
    assert lock.main(["--check"]) == 1
    assert capsys.readouterr().err == "requirements-dev.txt: is missing: run make lock\n"
