"""What the engine needs from the outside, as Protocols: adapters provide them, the composition root hands them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from model.documents import Document, Json
from model.facts import Facts, Machine, Reading
from model.plans import Step


class AzureProblem(Exception):
    """Azure did not do what it was asked for; `request_id` is what it calls that request, where it said so."""

    request_id: str = ""


class AzureUnavailable(AzureProblem):
    """Azure did not answer in a usable way; trying later may help. The message names the operation."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermissionMissing(AzureProblem):
    """Azure refused for want of a right; a person has to grant it. The message names action and scope."""


class NotFound(AzureProblem):
    """The resource does not exist (404, never another status)."""


class LedgerUnreadable(Exception):
    """The ledger's store cannot be used as it is; the message names it and says why.

    A file of a newer version, something that is not a ledger, a full disk, a damaged row: a person has to look.
    """


class WriteForbidden(Exception):
    """A request that could change something was about to leave where only reads may; nothing was sent."""


@dataclass(slots=True)
class RequestCount:
    """How many requests left the process, by kind, as the run document reports them."""

    read: int = 0
    probe: int = 0
    write: int = 0


type Progress = Callable[[str], None]
"""Told in a few words what is being read; a terminal shows it, everything else ignores it."""


class Clock(Protocol):
    """The present, and waiting for a later one. The simulated Azure brings its own."""

    def now(self) -> datetime: ...

    def sleep_until(self, due: datetime) -> None: ...


class Estate(Protocol):
    """Reads Azure. Never sends anything that could change it, whatever it is asked."""

    @property
    def requests(self) -> RequestCount: ...

    def read(self, readings: frozenset[Reading], queries: Mapping[str, str], progress: Progress) -> Facts:
        """Every reading and query, concurrently; `queries` maps a name to KQL.

        What could not be read is in `Facts.unreadable`, under its reading's or query's name; never an exception.
        """
        ...

    def look_closer(self, facts: Facts, ids: frozenset[str]) -> Facts:
        """The same facts with the full documents of `ids` (lower-case resource ids) beside them.

        Virtual machines come with their instance view. A 404 leaves the id out of both `documents` and
        `unreadable`: the thing is not there.
        """
        ...


class Access(Protocol):
    """Whether what the settings name is there and may be read."""

    def problems(self) -> tuple[str, ...]:
        """A sentence for each thing that cannot be read, without ids; empty where all can. Never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """The step holds; `result` is what undoing or understanding it needs (an export's path, an exit code).

    `startMovedTo` in the result of a `PutDeployment` is the start of its schedule that holds in the place of the
    planned one.
    `request_ids` are what Azure calls the requests that changed something: whoever asks Microsoft is asked for them.
    """

    result: Document = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPending:
    """Begun and not finished: come back after `look_again` with `token`."""

    look_again: timedelta
    token: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """The step did not happen or did not hold. `retry` where the same request may succeed later.

    `request_ids` as in `StepDone`: those that were refused are the ones that one asks Microsoft about.
    """

    reason: str
    retry: bool = False
    result: Document = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStale:
    """The target is not what the plan says it was; nothing was written."""

    field: str
    planned: Json
    found: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class StepForbidden:
    """Nothing may be written now, by the app's lock or the kill switch; nothing was. The treatment is set aside."""

    reason: str


type StepProgress = StepDone | StepPending | StepFailed | StepStale | StepForbidden


class Writer(Protocol):
    """The one door for changes. Idempotent: beginning a step that already holds is `StepDone` without a write."""

    @property
    def requests(self) -> RequestCount: ...

    def begin(self, step: Step, step_id: str, ours: Mapping[str, Document]) -> StepProgress:
        """Re-read the target, compare it with the step's `before`, write.

        `step_id` is the same when the same step is delivered again. `ours` maps a lower-case resource id to the body
        that this run itself last wrote there: the world may have moved by our own hand only.
        """
        ...

    def check(self, step: Step, step_id: str, token: Document) -> StepProgress:
        """Look at a step that was pending."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePending:
    """The diagnosis is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswered:
    """What the diagnosis printed, as Azure kept it; nobody has judged it yet."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFailed:
    """There will be no answer."""

    reason: str


type ProbeProgress = ProbePending | ProbeAnswered | ProbeFailed


class Prober(Protocol):
    """Sends the diagnosis, and nothing else, into machines. Never raises: what goes wrong is `ProbeFailed`."""

    @property
    def requests(self) -> RequestCount: ...

    def begin(self, machine: Machine, name: str) -> ProbeProgress:
        """Send the script for the machine's operating system, unless it was sent under this name already."""
        ...

    def check(self, machine: str, name: str, *, last: bool = False) -> ProbeProgress:
        """Look for the answer; once it is here, take the run command away again. `machine` is its resource id.

        `last`: nobody will look again. Then it is taken away in any case, and what still runs ends with it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger. `id` is unique within its run and says what the line is about.

    Kinds: `run`, `status`, `facts`, `requests`, `finding`, `unknown`, `plan`, `advice`, `surveyed`, `apply`,
    `probes`, `probing`, `probed`, `treatment`, `step`, `wrote`, `applied`, `relook`, `outcome`, `undo`,
    `approval`, `answer`, `taken`, `set-aside`; in the app's own record `pause`, `resume`, `queued`.
    """

    run: str
    id: str
    kind: str
    at: datetime
    body: Document
    about: str = ""
    """The key of the finding, or the id of the resource, that the line is about; empty for the run as a whole."""


MAX_RUN_ID: Final = 200
"""The longest run id a ledger takes, in bytes of UTF-8: it is part of keys, and those are short."""
RESERVED: Final = "~"
"""A run id that begins so is the app's own record and no run: a ledger keeps its entries and never lists it."""


class Ledger(Protocol):
    """Append-only memory of everything that was seen, decided and done; one test suite holds for every store.

    Safe to use from several threads and processes at once. Ids, keys and holders are any text; a run's id is at most
    `MAX_RUN_ID` bytes of UTF-8.
    """

    def append(self, entries: Sequence[Entry]) -> tuple[bool, ...]:
        """Write each entry that is not there yet; False where one with its run and id already is (left as it was)."""
        ...

    def entries(self, run: str, *, about: str | None = None, kinds: frozenset[str] | None = None) -> tuple[Entry, ...]:
        """The entries of a run in the order in which they were first written; empty for an unknown run.

        `about` and `kinds` narrow them down in the store, so that a step reads its own finding's lines and not a
        thousand others'.
        """
        ...

    def runs(self, limit: int, before: str | None = None) -> tuple[str, ...]:
        """Run ids, newest first (ids sort by time), older than `before` where that is given; no `RESERVED` one."""
        ...

    def claim(self, key: str, holder: str, now: datetime, until: datetime) -> str:
        """Take `key` for `holder` unless another holds it still at `now`; answers who holds it afterwards."""
        ...

    def holders(self, keys: Sequence[str], now: datetime) -> Mapping[str, str]:
        """Who holds each of these keys at `now`; a free one is left out. Changes nothing."""
        ...

    def release(self, key: str, holder: str) -> None:
        """Give `key` back where `holder` has it."""
        ...

    def close(self) -> None: ...


def quiet(_: str) -> None:
    """A `Progress` that tells nobody."""


def texts(values: Iterable[object]) -> tuple[str, ...]:
    """The strings among `values`: what is left of a list from outside after dropping what is not text."""
    return tuple(value for value in values if isinstance(value, str))
