"""What a detector says: found, could not tell, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from model.documents import Json
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A machine, deployment, workspace or subscription in a failure state.

    `reason` is for people: nothing branches on it.
    """

    state: FailureState
    target: str
    """Lower-case resource id of what is broken."""
    name: str
    """What a person calls the target; never used to find it."""
    reason: str
    since: datetime | None = None
    """When it began, as far as the evidence tells."""
    evidence: Mapping[str, Json] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for the same failure seen again, so that a repeat joins the treatment under way."""
        return f"{self.state.value}:{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Could not tell, and why: never treated as healthy, never acted on."""

    state: FailureState
    target: str
    """What it is about; empty where the whole state could not be judged."""
    missing: str


type Detection = Finding | Unknown
