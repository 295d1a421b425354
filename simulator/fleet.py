"""A fleet is a value: an estate frozen at one time. The folder format is that of exports and of `sweep --from`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from model.documents import Document, Json
from model.resource_ids import InvalidResourceId, ResourceId
from model.times import format_time, parse_time

FLEET_KEYS: Final = frozenset({"now", "subscriptions", "account", "workspace"})


class BrokenFleet(ValueError):
    """A fleet folder cannot be read; the message names the file, and the line where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything that a simulated Azure starts from."""

    now: datetime
    subscriptions: tuple[str, ...]
    account: str
    """Resource id of the Automation account."""
    workspace: str
    """Resource id of the Log Analytics workspace."""
    documents: list[Document]
    """Bodies as Azure Resource Manager answers a GET on their `id`; each has `id` and `type`."""
    logs: Mapping[str, Iterable[Document]] = field(default_factory=dict)
    """Rows by table; may be read more than once. A table that is not here does not exist in the workspace."""
    guests: Mapping[str, Document] = field(default_factory=dict)
    """The inside of machines by resource id, where it is not simply healthy: `simulator/guests.py` says which keys."""
    truth: Document | None = None
    """What a generated fleet really suffers from; None where nobody knows."""


def load_folder(path: Path) -> Fleet:
    """Read a fleet folder.

    Raises:
        BrokenFleet: with the file, and for a log the line, that cannot be used.
    """
    facts = _fleet_json(path / "fleet.json")
    documents = [document for file in _files(path / "arm", "*.json") for document in _documents(file)]
    seen: dict[str, str] = {}
    for document in documents:
        key = str(document["id"]).lower()
        if key in seen:
            raise BrokenFleet(f"{path / 'arm'}: two documents have the id {document['id']}")
        seen[key] = key
    guests = {key: guest for file in _files(path / "guest", "*.json") for key, guest in _guests(file)}
    truth = path / "truth.json"
    return Fleet(
        now=facts.now,
        subscriptions=facts.subscriptions,
        account=facts.account,
        workspace=facts.workspace,
        documents=documents,
        logs={file.stem: list(_rows(file)) for file in _files(path / "logs", "*.jsonl")},
        guests=guests,
        truth=_object(truth, _parsed(truth, truth.read_text("utf-8"))) if truth.exists() else None,
    )


def save_folder(fleet: Fleet, path: Path) -> None:
    """Write a fleet so that `load_folder` reads the same one back. The folder may exist; files of it are replaced."""
    for folder in ("arm", "logs", "guest"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    head = {
        "now": format_time(fleet.now),
        "subscriptions": list(fleet.subscriptions),
        "account": fleet.account,
        "workspace": fleet.workspace,
    }
    _write(path / "fleet.json", head)
    by_type: dict[str, list[Document]] = {}
    for document in fleet.documents:
        by_type.setdefault(str(document["type"]).rsplit("/", 1)[-1], []).append(document)
    for name, documents in by_type.items():
        _write(path / "arm" / f"{name}.json", documents)
    for table, rows in fleet.logs.items():
        with (path / "logs" / f"{table}.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    if fleet.guests:
        _write(path / "guest" / "guests.json", dict(fleet.guests))
    if fleet.truth is not None:
        _write(path / "truth.json", fleet.truth)


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _parsed(file: Path, text: str, line: int = 0) -> Json:
    where = f"{file}:{line}" if line else f"{file}"
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise BrokenFleet(f"{where}: is not JSON: {error}") from error
    return value


def _object(file: Path, value: Json, line: int = 0) -> Document:
    if isinstance(value, dict):
        return value
    raise BrokenFleet(f"{file}{f':{line}' if line else ''}: must be a JSON object, is a {type(value).__name__}")


def _read(file: Path) -> Json:
    try:
        return _parsed(file, file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenFleet(f"{file}: cannot be read: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    now: datetime
    subscriptions: tuple[str, ...]
    account: str
    workspace: str


def _fleet_json(file: Path) -> _Head:
    facts = _object(file, _read(file))
    problems = [f"{name}: is missing" for name in sorted(FLEET_KEYS - facts.keys())]
    problems += [f"{name}: there is no such key" for name in sorted(facts.keys() - FLEET_KEYS)]
    now, subscriptions = parse_time(facts.get("now")), facts.get("subscriptions")
    if "now" in facts and now is None:
        problems.append(f"now: is not a time: {facts['now']!r:.60}")
    listed = subscriptions if isinstance(subscriptions, list) else []
    if "subscriptions" in facts and (not listed or not all(isinstance(item, str) for item in listed)):
        problems.append("subscriptions: must be a list of GUIDs")
    ids: dict[str, str] = {}
    for name, kind in (
        ("account", "Microsoft.Automation/automationAccounts"),
        ("workspace", "Microsoft.OperationalInsights/workspaces"),
    ):
        text = facts.get(name)
        ids[name] = text if isinstance(text, str) else ""
        try:
            right = ResourceId.parse(ids[name]).is_type(kind)
        except InvalidResourceId:
            right = False
        if name in facts and not right:
            problems.append(f"{name}: is not the resource id of a {kind}: {text!r:.120}")
    if problems or now is None:
        raise BrokenFleet(f"{file}: " + "; ".join(problems))
    return _Head(
        now=now,
        subscriptions=tuple(str(item) for item in listed),
        account=ids["account"],
        workspace=ids["workspace"],
    )


def _documents(file: Path) -> Iterator[Document]:
    content = _read(file)
    if not isinstance(content, list):
        raise BrokenFleet(f"{file}: must be an array of documents")
    for number, item in enumerate(content):
        document = item if isinstance(item, dict) else {}
        for key in ("id", "type"):
            if not isinstance(document.get(key), str):
                raise BrokenFleet(f"{file}: document {number} has no {key}")
        # Not every id parses as pairs (`…/linkedWorkspace` is a singleton), but all begin with a subscription.
        if not str(document["id"]).lower().startswith("/subscriptions/"):
            raise BrokenFleet(f"{file}: document {number}: is not a resource id: {document['id']!r:.200}")
        yield document


def _rows(file: Path) -> Iterator[Document]:
    with file.open(encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = _object(file, _parsed(file, line, number), number)
                if parse_time(row.get("TimeGenerated")) is None:
                    raise BrokenFleet(f"{file}:{number}: TimeGenerated is not a time: {row.get('TimeGenerated')!r:.60}")
                yield row
        except UnicodeDecodeError as error:
            raise BrokenFleet(f"{file}: is not UTF-8: {error}") from error


def _guests(file: Path) -> Iterator[tuple[str, Document]]:
    for key, guest in _object(file, _read(file)).items():
        if not isinstance(guest, dict):
            raise BrokenFleet(f"{file}: {key}: must be a JSON object")
        yield key, guest
