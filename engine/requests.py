"""What a person, a timer or an alert may ask for, checked before anything starts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from model.documents import Document, Json
from model.resource_ids import InvalidResourceId, ResourceId
from model.states import FailureState

type Trigger = Literal["timer", "alert", "http", "cli"]
MOST_NAMED: Final = 1_000


class InvalidRequest(Exception):
    """The request cannot be carried out as it stands; `field` is where, the message what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """One sweep. None selects everything; an empty selection selects nothing (promise 6)."""

    run: str
    trigger: Trigger
    dry_run: bool = True
    states: tuple[FailureState, ...] | None = None
    machines: tuple[str, ...] | None = None
    """Lower-case resource ids, of machines or of what encloses them, or `name:<computer>`."""
    by: str = ""
    """Who asked, as far as the entrance knows."""

    @property
    def document(self) -> Document:
        """The input of the process `sweep`."""
        return {
            "run": self.run,
            "trigger": self.trigger,
            "dryRun": self.dry_run,
            "states": None if self.states is None else [state.value for state in self.states],
            "machines": None if self.machines is None else list(self.machines),
            "by": self.by,
        }

    @classmethod
    def of(cls, document: Document) -> SweepRequest:
        """The request that `document` was made from."""
        machines, trigger = document.get("machines"), document.get("trigger")
        return cls(
            run=str(document["run"]),
            trigger=trigger if trigger in {"timer", "alert", "http"} else "cli",  # type: ignore[arg-type]
            # Anything but a plain false is a dry run.
            dry_run=document.get("dryRun") is not False,
            states=states_in(document.get("states"), "states"),
            machines=None if machines is None else machines_in(machines, "machines"),
            by=str(document.get("by", "")),
        )


def states_in(value: Json, field: str) -> tuple[FailureState, ...] | None:
    """A list of failure-state ids from outside; None where none is given. Raises `InvalidRequest`."""
    if value is None:
        return None
    known = {state.value: state for state in FailureState}
    found = []
    for index, item in enumerate(_listed(value, field)):
        if item not in known:
            raise InvalidRequest(
                f"{field}[{index}]", f"there is no failure state {item[:60]!r}; see `patchwright states`"
            )
        found.append(known[item])
    return tuple(dict.fromkeys(found))


def machines_in(value: Json, field: str) -> tuple[str, ...]:
    """A list of resource ids (or `name:<computer>`) from outside, in lower case. Raises `InvalidRequest`."""
    found = []
    for index, item in enumerate(_listed(value, field)):
        if item.lower().startswith("name:") and item[5:].strip():
            found.append(item.lower())
            continue
        try:
            found.append(ResourceId.parse(item).key.rstrip("/"))
        except InvalidResourceId as error:
            raise InvalidRequest(f"{field}[{index}]", str(error)) from error
    return tuple(dict.fromkeys(found))


def new_run_id(now: datetime) -> str:
    """A run id that sorts by time."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def _listed(value: Json, field: str) -> Iterable[str]:
    if not isinstance(value, list):
        raise InvalidRequest(field, f"must be a list, is {type(value).__name__}")
    if len(value) > MOST_NAMED:
        raise InvalidRequest(field, f"has {len(value)} entries, at most {MOST_NAMED} are taken")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise InvalidRequest(f"{field}[{index}]", f"must be text, is {type(item).__name__}")
    return [item for item in value if isinstance(item, str)]
