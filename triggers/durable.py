"""The types of Durable Functions, whose library ships none: as much of it as is used here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Protocol, cast

import azure.durable_functions as df  # type: ignore[import-untyped] # as the module says
import azure.functions as func

from model.documents import Document


class Task(Protocol):
    """Something that an orchestrator waits for by yielding it."""


class Timer(Task, Protocol):
    """A wait that can be given up; as long as it stands, its orchestration is not over."""

    def cancel(self) -> None: ...


class RetryOptions(Protocol):
    """How often a call is repeated, and after how long."""


class Context(Protocol):
    """What an orchestrator may ask for; everything comes from the history or goes into it."""

    @property
    def current_utc_datetime(self) -> datetime: ...

    def get_input(self, *, expected_type: type) -> Document: ...

    def call_activity_with_retry(self, name: str, retry_options: RetryOptions, input_: Document) -> Task: ...

    def call_sub_orchestrator(self, name: str, input_: Document, instance_id: str) -> Task: ...

    def create_timer(self, fire_at: datetime) -> Timer: ...

    def wait_for_external_event(self, name: str) -> Task: ...

    def task_any(self, activities: list[Task]) -> Task:
        """Its answer is the task that was done first."""
        ...


class Client(Protocol):
    """Starts orchestrations and asks after them. Raises plain `Exception` where the host does not do it."""

    async def start_new(self, orchestration_function_name: str, instance_id: str, client_input: Document) -> str: ...

    async def raise_event(self, instance_id: str, event_name: str, event_data: Document) -> None: ...

    async def get_status(self, instance_id: str) -> object:
        """True in a condition where the instance exists."""
        ...


class Blueprint(Protocol):
    """A set of functions with their triggers; `function_app.py` registers it."""

    def route[F](
        self, *, route: str, methods: Iterable[func.HttpMethod], auth_level: func.AuthLevel
    ) -> Callable[[F], F]: ...

    def timer_trigger[F](
        self, *, schedule: str, arg_name: str, run_on_startup: bool, use_monitor: bool
    ) -> Callable[[F], F]: ...

    def durable_client_input[F](self, *, client_name: str) -> Callable[[F], F]: ...

    def activity_trigger[F](self, *, input_name: str) -> Callable[[F], F]: ...

    def orchestration_trigger[F](self, *, context_name: str) -> Callable[[F], F]: ...


def new_blueprint() -> Blueprint:
    """An empty set."""
    return cast("Blueprint", df.Blueprint())


def retries(*, first_after_milliseconds: int, attempts: int) -> RetryOptions:
    """`attempts` in all, the first included, all as far apart as the first two."""
    return cast("RetryOptions", df.RetryOptions(first_after_milliseconds, attempts))


GET: Final = (func.HttpMethod.GET,)
POST: Final = (func.HttpMethod.POST,)
WITH_KEY: Final = func.AuthLevel.FUNCTION
OPEN: Final = func.AuthLevel.ANONYMOUS
