"""The ledger in Azure Table Storage.

One table. A run is a partition, so that several entries are written in one transaction and read in one query:

- `entry-<hash of id>`: one entry. The key is the id's alone, so that a second writer of the same entry meets the first
  one's row; `Place` is its place in the run's order.
- `head`: the next free place. Every transaction moves it on under its ETag, which puts all writers of a run in one
  order without a clock.
- `part-<hash of content>-<n>`: pieces of a body that does not fit in an entry's row, written before the entry. Named
  after their content, so that two writers of one entry with different bodies do not write over each other.

The partition `runs` lists the runs under keys that sort backwards, newest first; `claims` holds who has which key;
`schema` says of which version the rows are.
Limits as documented under "Understanding the Table service data model": 64 KiB a property, 1 MiB an entity, 4 MiB and
100 entities a transaction.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import accumulate, islice, takewhile
from typing import TYPE_CHECKING, Final, cast

from engine.ports import RESERVED, AzureUnavailable, Entry, LedgerUnreadable, PermissionMissing
from model.documents import Document

from .records import check_run_id, from_utf8, utf8, write_body, write_time

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.data.tables import TableClient, TableEntity

TABLE: Final = "patchwright"

VERSION: Final = 1
"""The shape of the rows, kept in the row `version`; raised with every change that an older version could not read."""

_SCHEMA: Final = "schema"
_RUNS: Final = "runs"
_CLAIMS: Final = "claims"
_HEAD: Final = "head"
_ENTRY: Final = "entry-"
_PART: Final = "part-"
_AFTER_ENTRIES: Final = "entry."
"""Sorts after every key that begins with `entry-`."""

_PROPERTY: Final = 64 * 1024
_ROW: Final = 11 * _PROPERTY
"""Bytes of a body in one row: below 1 MiB even where the entity is measured as it travels, in base64."""
_INLINE: Final = 4 * _PROPERTY
"""Larger bodies go into rows of their own, so that a transaction of several entries stays small."""
_TRANSACTION_ROWS: Final = 99
"""One of the hundred is the head."""
_TRANSACTION_BYTES: Final = 2 * 1024 * 1024
"""Of bodies; base64 and the envelope make them half as large again on the wire."""
_COMPARED_KINDS: Final = 12
"""A filter holds fifteen comparisons, two of which are the run and what the line is about."""
_COMPARISONS: Final = 14
"""Azure takes fifteen in one filter; the partition is one of them."""
_PATIENCE: Final = timedelta(minutes=2)
"""How long to go on losing to other writers. A loser tries again at once, and somebody wins each round."""

_AGAIN: Final = ("GET", "POST", "PUT", "DELETE")
"""What the SDK may send again when an answer is lost. It leaves out POST, not knowing that ours can be told apart."""
_CONNECT: Final = 10
_READ: Final = 60
"""Seconds; the SDK's own are five minutes each, half a function's life."""

_KEPT: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")

type _Row = Mapping[str, str | int | bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """An entry made ready for its row."""

    key: str
    row: _Row
    parts: tuple[bytes, ...] = ()
    digest: str = ""

    @property
    def size(self) -> int:
        return sum(len(value) for value in self.row.values() if isinstance(value, bytes))


class _Commit(Enum):
    """What became of a transaction."""

    DONE = auto()
    SOME_ARE_THERE = auto()
    """An entry of it, or the head that it wanted to make, is there already; nothing was written."""
    OVERTAKEN = auto()
    """Another writer moved the head; nothing was written."""


class TableLedger:
    """A `Ledger` in a table of a storage account; safe for any number of writers anywhere."""

    def __init__(self, client: Callable[[], TableClient], name: str) -> None:
        """`client` is called once, at the first use; `name` is what messages call the ledger."""
        self._make_client = client
        self._name = name
        self._client: TableClient | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_connection_string(cls, text: str, *, table: str = TABLE) -> TableLedger:
        """The ledger in the storage account that a connection string names."""

        def client() -> TableClient:
            from azure.data.tables import TableClient  # noqa: PLC0415 - 0.2 s that a start without a ledger saves

            try:
                return TableClient.from_connection_string(
                    text, table_name=table, connection_timeout=_CONNECT, read_timeout=_READ
                )
            except ValueError as error:
                # The SDK's own message may hold a piece of the key.
                raise LedgerUnreadable("ledger: the connection string is malformed") from error

        return cls(client, f"table {table}")

    @classmethod
    def from_endpoint(cls, endpoint: str, credential: TokenCredential, *, table: str = TABLE) -> TableLedger:
        """The ledger behind the address of a Table service, for an identity with Storage Table Data Contributor."""

        def client() -> TableClient:
            from azure.data.tables import TableClient  # noqa: PLC0415

            return TableClient(
                endpoint,
                table_name=table,
                credential=credential,
                connection_timeout=_CONNECT,
                read_timeout=_READ,
            )

        return cls(client, f"table {table} at {endpoint}")

    def append(self, entries: Sequence[Entry]) -> tuple[bool, ...]:
        writer = uuid.uuid4().hex
        runs: dict[str, dict[str, _Packed]] = {}
        first: list[bool] = []
        for entry in entries:
            check_run_id(entry.run)
            key = _ENTRY + _digest(utf8(entry.id))
            of_run = runs.setdefault(entry.run, {})
            first.append(key not in of_run)
            if key not in of_run:
                of_run[key] = _pack(key, entry, writer)
        written = {
            (run, key) for run, packed in runs.items() for key in self._write(run, list(packed.values()), writer)
        }
        return tuple(
            is_first and (entry.run, _ENTRY + _digest(utf8(entry.id))) in written
            for entry, is_first in zip(entries, first, strict=True)
        )

    def entries(self, run: str, *, about: str | None = None, kinds: frozenset[str] | None = None) -> tuple[Entry, ...]:
        partition = _partition(run)
        wanted, parameters = "PartitionKey eq @partition", {"partition": partition}
        if about is not None:
            wanted, parameters = f"{wanted} and About eq @about", {**parameters, "about": _digest(utf8(about))}
        if kinds is not None:
            if not kinds:
                return ()
            # Hexadecimal digests: the SDK puts parameters in only where white space stands around them. Kinds beyond
            # what a filter may compare are dropped below.
            if len(kinds) <= _COMPARED_KINDS:
                wanted += " and (" + " or ".join(f"Kind eq '{_digest(utf8(kind))}'" for kind in sorted(kinds)) + ")"
        with self._table("list") as table:
            rows = {str(row["RowKey"]): row for row in table.query_entities(wanted, parameters=parameters)}
            found = sorted((row for key, row in rows.items() if key.startswith(_ENTRY)), key=lambda row: row["Place"])

            def part(key: str) -> TableEntity:
                # Parts sort after entries: an entry written while we were reading may have come without its own. And
                # they bear no kind, so that a narrowed query never brings them.
                return rows[key] if key in rows else table.get_entity(partition, key)

            entries = (self._unpack(run, row, part) for row in found)
            return tuple(entry for entry in entries if kinds is None or entry.kind in kinds)

    def runs(self, limit: int, before: str | None = None) -> tuple[str, ...]:
        if limit <= 0:
            return ()
        older = "" if before is None else " and RowKey gt @before"
        with self._table("list runs") as table:
            pages = table.query_entities(
                f"PartitionKey eq @partition{older}",
                parameters={"partition": _RUNS, "before": _backwards(before or "")},
                select=["RowKey"],
                results_per_page=min(limit, 1000),
            )
            return tuple(_forwards(str(row["RowKey"])) for row, _ in zip(pages, range(limit), strict=False))

    def claim(self, key: str, holder: str, now: datetime, until: datetime) -> str:
        from azure.core import MatchConditions  # noqa: PLC0415
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError  # noqa: PLC0415
        from azure.data.tables import UpdateMode  # noqa: PLC0415

        wanted: _Row = {
            "PartitionKey": _CLAIMS,
            "RowKey": _digest(utf8(key)),
            "Holder": utf8(holder),
            "Until": write_time(until),
        }
        with self._table("claim") as table:
            for _ in self._rounds():
                # Most keys are free: try to make the row first, and look at it only where there is one.
                try:
                    table.create_entity(wanted, retry_on_methods=_AGAIN)
                except ResourceExistsError:
                    pass
                else:
                    return holder
                try:
                    row = table.get_entity(_CLAIMS, str(wanted["RowKey"]))
                    if (other := from_utf8(row["Holder"])) != holder and row["Until"] > write_time(now):
                        return other
                    if other == holder and row["Until"] == wanted["Until"]:
                        return holder
                    table.update_entity(
                        wanted,
                        mode=UpdateMode.REPLACE,
                        etag=row.metadata["etag"],
                        match_condition=MatchConditions.IfNotModified,
                    )
                except (ResourceModifiedError, ResourceNotFoundError):
                    continue
                return holder
        raise self._contended("claim")

    def holders(self, keys: Sequence[str], now: datetime) -> dict[str, str]:
        found: dict[str, str] = {}
        wanted = {_digest(utf8(key)): key for key in keys}
        with self._table("look at claims") as table:
            for start in range(0, len(wanted), _COMPARISONS):
                some = list(wanted)[start : start + _COMPARISONS]
                # Digests, written out: the SDK puts parameters in only where white space stands around them.
                either = " or ".join(f"RowKey eq '{digest}'" for digest in some)
                for row in table.query_entities(f"PartitionKey eq '{_CLAIMS}' and ({either})"):
                    if row["Until"] > write_time(now):
                        found[wanted[str(row["RowKey"])]] = from_utf8(row["Holder"])
        return found

    def release(self, key: str, holder: str) -> None:
        from azure.core import MatchConditions  # noqa: PLC0415
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError  # noqa: PLC0415

        with self._table("release") as table:
            for _ in self._rounds():
                try:
                    row = table.get_entity(_CLAIMS, _digest(utf8(key)))
                    if from_utf8(row["Holder"]) == holder:
                        table.delete_entity(
                            row, etag=row.metadata["etag"], match_condition=MatchConditions.IfNotModified
                        )
                except ResourceModifiedError:
                    continue
                except ResourceNotFoundError:
                    return
                return
        raise self._contended("release")

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _write(self, run: str, pending: list[_Packed], writer: str) -> set[str]:
        """Write what is not there yet; answers the keys of the rows that are this writer's."""
        from azure.data.tables import UpdateMode  # noqa: PLC0415

        partition = _partition(run)
        written: set[str] = set()
        with self._table("append") as table:
            for packed in pending:
                for number, part in enumerate(packed.parts):
                    table.upsert_entity(
                        {"PartitionKey": partition, "RowKey": _part_key(packed.digest, number), **_properties(part)},
                        mode=UpdateMode.REPLACE,
                    )
            rounds = self._rounds()
            while pending:
                batch = _first_batch(pending)
                match self._commit(table, run, batch):
                    case _Commit.DONE:
                        written |= {packed.key for packed in batch}
                        pending = pending[len(batch) :]
                        rounds = self._rounds()
                    case _Commit.SOME_ARE_THERE:
                        # Some may be ours: an answer was lost, and the SDK asked again.
                        there = self._writers(table, partition)
                        written |= {packed.key for packed in pending if there.get(packed.key) == writer}
                        pending = [packed for packed in pending if packed.key not in there]
                    case _Commit.OVERTAKEN:
                        if next(rounds, None) is None:
                            raise self._contended("append")
        return written

    @staticmethod
    def _commit(table: TableClient, run: str, batch: list[_Packed]) -> _Commit:
        """One transaction: the batch at the end of the run, and the run's head moved behind it."""
        from azure.core import MatchConditions  # noqa: PLC0415
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415
        from azure.data.tables import TableErrorCode, TableTransactionError, UpdateMode  # noqa: PLC0415

        partition = _partition(run)
        try:
            head = table.get_entity(partition, _HEAD)
            place = int(head["Place"])
        except ResourceNotFoundError:
            # Listed before it has entries: a crash in between leaves an empty run, never a hidden one.
            if not run.startswith(RESERVED):
                table.upsert_entity({"PartitionKey": _RUNS, "RowKey": _backwards(run)}, mode=UpdateMode.REPLACE)
            head, place = None, 0
        moved = {"PartitionKey": partition, "RowKey": _HEAD, "Place": place + len(batch)}
        unmoved = {"etag": head.metadata["etag"], "match_condition": MatchConditions.IfNotModified} if head else {}
        rows = ({"PartitionKey": partition, **packed.row, "Place": place + index} for index, packed in enumerate(batch))
        try:
            table.submit_transaction(
                [
                    ("update", moved, {"mode": UpdateMode.REPLACE, **unmoved}) if head else ("create", moved),
                    *(("create", row) for row in rows),
                ],
                retry_on_methods=_AGAIN,
            )
        except TableTransactionError as error:
            # The SDK sets the code on the instance without declaring it.
            if getattr(error, "error_code", None) == TableErrorCode.ENTITY_ALREADY_EXISTS:
                return _Commit.SOME_ARE_THERE
            if error.status_code in {409, 412}:
                return _Commit.OVERTAKEN
            raise
        return _Commit.DONE

    @staticmethod
    def _writers(table: TableClient, partition: str) -> dict[str, str]:
        """Who wrote each entry of a run."""
        rows = table.query_entities(
            "PartitionKey eq @partition and RowKey ge @first and RowKey lt @last",
            parameters={"partition": partition, "first": _ENTRY, "last": _AFTER_ENTRIES},
            select=["RowKey", "Writer"],
        )
        return {str(row["RowKey"]): str(row["Writer"]) for row in rows}

    def _unpack(self, run: str, row: TableEntity, part: Callable[[str], TableEntity]) -> Entry:
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415

        try:
            digest = str(row["Digest"]) if "Digest" in row else ""
            parts = (part(_part_key(digest, number)) for number in range(int(row["Parts"]))) if digest else (row,)
            data = b"".join(_joined(piece) for piece in parts)
            id_, kind, about, at, body = cast("tuple[str, str, str, str, Document]", json.loads(zlib.decompress(data)))
            return Entry(run=run, id=id_, kind=kind, at=datetime.fromisoformat(at), body=body, about=about)
        except (KeyError, TypeError, ValueError, zlib.error, ResourceNotFoundError) as error:
            raise LedgerUnreadable(
                f"ledger {self._name}: row {row.get('RowKey')} of run {run} is damaged: {error}"
            ) from error

    @contextmanager
    def _table(self, operation: str) -> Iterator[TableClient]:
        """The table, made where there is none; the SDK's errors end here."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError  # noqa: PLC0415

        try:
            yield self._connected()
        except ClientAuthenticationError as error:
            raise PermissionMissing(f"{operation} in ledger {self._name}: sign-in refused: {error.message}") from error
        except HttpResponseError as error:
            if error.status_code == 403:
                raise PermissionMissing(
                    f"{operation} in ledger {self._name}: needs Storage Table Data Contributor: {error.message}"
                ) from error
            raise AzureUnavailable(f"{operation} in ledger {self._name}: {error.message}") from error
        except AzureError as error:
            raise AzureUnavailable(f"{operation} in ledger {self._name}: {error.message}") from error

    def _connected(self) -> TableClient:
        from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415

        with self._lock:
            if self._client is None:
                client = self._make_client()
                with suppress(ResourceExistsError):
                    client.create_table()
                self._check_version(client)
                self._client = client
            return self._client

    def _check_version(self, client: TableClient) -> None:
        """A table from before there were versions is of the first. Raises `LedgerUnreadable` for one of a newer."""
        from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415

        key = {"PartitionKey": _SCHEMA, "RowKey": "version"}
        with suppress(ResourceExistsError):
            client.create_entity({**key, "Version": VERSION})
            return
        version = client.get_entity(key["PartitionKey"], key["RowKey"]).get("Version")
        if not isinstance(version, int) or version > VERSION:
            raise LedgerUnreadable(
                f"ledger {self._name}: was written by a newer version (schema {version}, this one reads {VERSION})"
            )

    @staticmethod
    def _rounds() -> Iterator[float]:
        """Turns in a contest with other writers, until patience ends; each is the pause that follows it, in seconds."""
        end = time.monotonic() + _PATIENCE.total_seconds()
        longest = 0.01
        while time.monotonic() < end:
            pause = random.uniform(0, longest)  # noqa: S311 - spreads writers, protects nothing
            yield pause
            time.sleep(pause)
            longest = min(longest * 2, 0.5)

    def _contended(self, operation: str) -> AzureUnavailable:
        return AzureUnavailable(f"{operation} in ledger {self._name}: other writers were always quicker", _PATIENCE)


def _pack(key: str, entry: Entry, writer: str) -> _Packed:
    body = write_body([entry.id, entry.kind, entry.about, write_time(entry.at), entry.body])
    data = zlib.compress(body.encode())
    # Hashed like the key: a filter then never holds text from outside.
    row: _Row = {
        "RowKey": key,
        "Writer": writer,
        "Kind": _digest(utf8(entry.kind)),
        "About": _digest(utf8(entry.about)),
    }
    if len(data) <= _INLINE:
        return _Packed(key=key, row={**row, **_properties(data)})
    parts = tuple(data[start : start + _ROW] for start in range(0, len(data), _ROW))
    digest = _digest(data)
    return _Packed(key=key, row={**row, "Digest": digest, "Parts": len(parts)}, parts=parts, digest=digest)


def _first_batch(pending: Sequence[_Packed]) -> list[_Packed]:
    """As many from the front as one transaction takes; at least one."""
    sizes = accumulate(packed.size for packed in pending)
    fitting = sum(1 for _ in takewhile(lambda size: size <= _TRANSACTION_BYTES, islice(sizes, _TRANSACTION_ROWS)))
    return list(pending[: max(fitting, 1)])


def _properties(data: bytes) -> dict[str, bytes]:
    return {
        f"Body{number:02}": data[start : start + _PROPERTY]
        for number, start in enumerate(range(0, len(data), _PROPERTY))
    }


def _joined(row: TableEntity) -> bytes:
    return b"".join(row[name] for name in sorted(row) if name.startswith("Body"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _part_key(digest: str, number: int) -> str:
    return f"{_PART}{digest}-{number:04}"


def _partition(run: str) -> str:
    """A run's partition: readable for ordinary ids, and legal in a key for all (no slash, no control character)."""
    return "run-" + "".join(chr(byte) if byte in _KEPT else f"_{byte:02x}" for byte in utf8(run))


def _backwards(run: str) -> str:
    """A key that sorts in the opposite order of run ids; the tilde puts a longer id before its own beginning."""
    return bytes(255 - byte for byte in utf8(run)).hex() + "~"


def _forwards(key: str) -> str:
    return from_utf8(bytes(255 - byte for byte in bytes.fromhex(key.removesuffix("~"))))
