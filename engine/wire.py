"""Plans and what belongs to them as JSON, for the ledger and for Durable Functions' history."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from model.documents import Document, Json
from model.findings import Finding, Unknown
from model.plans import Advice, Declined, Step, Treatment, Verdict
from model.times import parse_time

if TYPE_CHECKING:
    from cattrs import Converter


@cache
def _converter() -> Converter:
    # cattrs is imported here because the function app's cold start should not pay for it.
    from cattrs import Converter  # noqa: PLC0415
    from cattrs.strategies import configure_tagged_union  # noqa: PLC0415

    converter = Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(datetime, _exactly)
    converter.register_structure_hook(datetime, _datetime)
    converter.register_unstructure_hook(StrEnum, lambda value: value.value)
    converter.register_unstructure_hook(timedelta, format_seconds)
    converter.register_structure_hook(timedelta, lambda value, _: timedelta(seconds=float(value)))
    # cattrs would make text of a number, and a yes of every text.
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _flag)
    # Documents are kept as they are: they were JSON when Azure sent them.
    converter.register_structure_hook_func(lambda type_: type_ is Json or type_ is Document, lambda value, _: value)
    converter.register_unstructure_hook_func(lambda type_: type_ is Json or type_ is Document, lambda value: value)
    configure_tagged_union(Step.__value__, converter, tag_name="kind", tag_generator=lambda type_: type_.__name__)
    configure_tagged_union(Verdict.__value__, converter, tag_name="kind", tag_generator=lambda type_: type_.__name__)
    return converter


def _exactly(value: datetime) -> str:
    """RFC 3339 in UTC, to the last digit: what is read back has to equal what was written."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(value: object, kind: type[str]) -> str:
    # The hook is asked for what is derived from text as well: states and impacts are.
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r:.60}")
    return kind(value)


def _flag(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"neither true nor false: {value!r:.60}")
    return value


def _datetime(value: object, _: object) -> datetime:
    if (found := parse_time(value)) is None:
        raise ValueError(f"not a time: {value!r:.60}")
    return found


def format_seconds(value: timedelta) -> float:
    """A length of time in seconds."""
    return value.total_seconds()


_HASH: Final = "planHash"


class UnreadableRecord(Exception):
    """A stored value is not of this version's shape; it was edited by hand or written by another version."""


class PlanChanged(UnreadableRecord):
    """A saved plan is not the one that was recorded: somebody changed it since, and nobody has reviewed what it is now.

    It has a shape that could be applied; it is not.
    """


type Storable = Finding | Unknown | Advice | Declined | Treatment


def to_json(value: Storable) -> Document:
    """A value as a JSON object. A treatment bears the hash of its plan, so that an edit by hand shows."""
    document = cast("Document", _converter().unstructure(value))
    return {**document, _HASH: document_hash(document["plan"])} if isinstance(value, Treatment) else document


def document_hash(document: Json) -> str:
    """The same for equal documents, whatever the order of their fields; 64 hexadecimal digits."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def from_json[T: Storable](kind: type[T], document: Document) -> T:
    """The value that `to_json` wrote.

    Raises:
        UnreadableRecord: the document has another shape, and the message says where.
        PlanChanged: the plan in it is not the one that was written.
    """
    if kind is Treatment and _HASH in document:
        said, document = document[_HASH], {name: value for name, value in document.items() if name != _HASH}
        if said != document_hash(document.get("plan")):
            raise PlanChanged("the saved plan is not the one that was recorded: it was changed since")
    from cattrs import transform_error  # noqa: PLC0415 - as above
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError, StructureHandlerNotFoundError  # noqa: PLC0415

    try:
        return _converter().structure(document, kind)
    except (BaseValidationError, ForbiddenExtraKeysError) as error:
        raise UnreadableRecord(f"{kind.__name__}: {'; '.join(transform_error(error))[:500]}") from error
    except (StructureHandlerNotFoundError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecord(f"{kind.__name__}: {error!r:.300}") from error
