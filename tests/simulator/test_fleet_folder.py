"""A fleet folder reads back as it was written, and a broken one says where it is broken."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.estate import Estate
from simulator.fleet import BrokenFleet, Fleet, load_folder, save_folder
from tests.simulator.small_estate import NOW, SmallEstate, guid, vm_id

texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(min_size=1, max_size=10).filter(lambda key: key not in {"id", "type"}), values)


@given(body=bodies, row=st.dictionaries(texts, values, max_size=4), inside=bodies)
@settings(max_examples=60)
def test_what_is_saved_is_what_is_loaded(
    body: dict[str, object], row: dict[str, object], inside: dict[str, object]
) -> None:
    """Whatever documents, rows and guests hold: quotes, line ends and other alphabets included."""
    small = SmallEstate()
    small.documents.append({**body, "id": vm_id("x"), "type": "Microsoft.Compute/virtualMachines"})  # type: ignore[dict-item]
    small.logs["Odd"] = [{**row, "TimeGenerated": "2026-03-10T06:00:00Z"}]  # type: ignore[dict-item]
    small.guests[vm_id("x")] = dict(inside)  # type: ignore[arg-type]
    fleet = small.fleet()
    with tempfile.TemporaryDirectory() as folder:
        save_folder(fleet, Path(folder))
        again = load_folder(Path(folder))
    assert (again.now, again.subscriptions, again.account, again.workspace) == (
        *(fleet.now, fleet.subscriptions, fleet.account, fleet.workspace),
    )
    assert sorted(again.documents, key=str) == sorted(fleet.documents, key=str)
    assert again.logs == fleet.logs
    assert again.guests == fleet.guests


def broken(change: Callable[[Path], object]) -> str:
    """What is said of a folder after `change`, without the folder's own name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_folder(SmallEstate().vm("web-01").fleet(), folder)
        change(folder)
        with pytest.raises(BrokenFleet) as error:
            load_folder(folder)
        return str(error.value).replace(str(folder), "")


def append(file: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        with (folder / file).open("a", encoding="utf-8") as out:
            out.write(text)

    return change


def head(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        facts = json.loads((folder / "fleet.json").read_text("utf-8")) | changes
        kept = {key: value for key, value in facts.items() if value is not ...}
        (folder / "fleet.json").write_text(json.dumps(kept), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (append("logs/Heartbeat.jsonl", "{oops\n"), "/logs/Heartbeat.jsonl:7: is not JSON"),
        (append("logs/Heartbeat.jsonl", "[]\n"), "/logs/Heartbeat.jsonl:7: must be a JSON object"),
        (append("logs/Heartbeat.jsonl", '{"Computer":"x"}\n'), "/logs/Heartbeat.jsonl:7: TimeGenerated is not a time"),
        (append("arm/subscriptions.json", "x"), "/arm/subscriptions.json: is not JSON"),
        (append("fleet.json", "}"), "/fleet.json: is not JSON"),
        (head(now="yesterday"), "/fleet.json: now: is not a time"),
        (head(extra=1), "/fleet.json: extra: there is no such key"),
        (head(account=...), "/fleet.json: account: is missing"),
        (head(workspace="/subscriptions/x"), "/fleet.json: workspace: is not the resource id of a Microsoft.Op"),
        (head(subscriptions=[]), "/fleet.json: subscriptions: must be a list of GUIDs"),
        (lambda folder: (folder / "fleet.json").unlink(), "/fleet.json: cannot be read"),
        (lambda folder: (folder / "arm/x.json").write_text("{}"), "/arm/x.json: must be an array"),
        (lambda folder: (folder / "arm/x.json").write_text('[{"id": "/subscriptions/x"}]'), "document 0 has no type"),
        (lambda folder: (folder / "arm/x.json").write_text('[{"id": "x", "type": "y"}]'), "is not a resource id"),
        (
            lambda folder: (folder / "arm/x.json").write_text(json.dumps([{"id": vm_id("WEB-01"), "type": "y"}])),
            "two documents have the id",
        ),
        (lambda folder: (folder / "guest/x.json").write_text('{"a": 1}'), "/guest/x.json: a: must be a JSON object"),
    ],
)
def test_a_broken_folder_says_where(change: Callable[[Path], object], said: str) -> None:
    assert said in broken(change)


def test_every_problem_of_the_head_is_said_at_once() -> None:
    said = broken(head(now=1, account=..., extra=2))
    assert said.count(";") == 2


@pytest.mark.parametrize("inside", [{"colour": "red"}, {"neededWindow": "long"}, {"registersAfter": 5}])
def test_a_guest_that_cannot_be_used_is_an_error_at_the_start(inside: dict[str, str | int]) -> None:
    with pytest.raises(BrokenFleet, match="guest"):
        Estate(SmallEstate().vm("web-01").guest("web-01", **inside).fleet())


def test_an_estate_leaves_its_fleet_as_it_was() -> None:
    small = SmallEstate().vm("web-01").deployment("Weekly", "web-01")
    fleet: Fleet = small.fleet()
    before = json.dumps(fleet.documents)
    Estate(fleet).clock.advance_to(NOW.replace(month=6))
    assert json.dumps(fleet.documents) == before
    assert guid("agent/web-01") in before or fleet.logs
