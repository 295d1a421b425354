"""Plans and what belongs to them as JSON, for the ledger and for Durable Functions' history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, cast

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
    # cattrs would make text of a number, and a yes of every text. Not for what is derived from text: a state is, too.
    converter.register_structure_hook_func(lambda type_: type_ is str, _only(str))
    converter.register_structure_hook_func(lambda type_: type_ is bool, _only(bool))
    # Documents are kept as they are: they were JSON when Azure sent them.
    converter.register_structure_hook_func(lambda type_: type_ is Json or type_ is Document, lambda value, _: value)
    converter.register_unstructure_hook_func(lambda type_: type_ is Json or type_ is Document, lambda value: value)
    configure_tagged_union(Step.__value__, converter, tag_name="kind", tag_generator=lambda type_: type_.__name__)
    configure_tagged_union(Verdict.__value__, converter, tag_name="kind", tag_generator=lambda type_: type_.__name__)
    return converter


def _exactly(value: datetime) -> str:
    """RFC 3339 in UTC, to the last digit: what is read back has to equal what was written."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _only[T](kind: type[T]) -> Callable[[object, object], T]:
    def checked(value: object, _: object) -> T:
        if not isinstance(value, kind):
            raise TypeError(f"not a {kind.__name__}: {value!r:.60}")
        return value

    return checked


def _datetime(value: object, _: object) -> datetime:
    if (found := parse_time(value)) is None:
        raise ValueError(f"not a time: {value!r:.60}")
    return found


def format_seconds(value: timedelta) -> float:
    """A length of time in seconds."""
    return value.total_seconds()


class UnreadableRecord(Exception):
    """A stored value is not of this version's shape; it was edited by hand or written by another version."""


type Storable = Finding | Unknown | Advice | Declined | Treatment


def to_json(value: Storable) -> Document:
    """A value as a JSON object."""
    return cast("Document", _converter().unstructure(value))


def from_json[T: Storable](kind: type[T], document: Document) -> T:
    """The value that `to_json` wrote.

    Raises:
        UnreadableRecord: the document has another shape; the message says where.
    """
    from cattrs import transform_error  # noqa: PLC0415 - as above
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError, StructureHandlerNotFoundError  # noqa: PLC0415

    try:
        return _converter().structure(document, kind)
    except (BaseValidationError, ForbiddenExtraKeysError) as error:
        raise UnreadableRecord(f"{kind.__name__}: {'; '.join(transform_error(error))[:500]}") from error
    except (StructureHandlerNotFoundError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecord(f"{kind.__name__}: {error!r:.300}") from error
