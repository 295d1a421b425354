"""Microsoft's Python worker library, spoken to without the Functions host.

The library takes messages of a gRPC protocol and only reads attributes of them, so plain objects with the protocol's
names do.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import azure_functions_runtime as runtime  # type: ignore[import-untyped] # ships no types

from model.documents import Document, Json


class Message:
    """Any message of the worker's protocol: the fields that it was made with, and nothing else."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's name
        """The field of a group that is set; a parameter is told apart from what it carries."""
        if group == "rpc_data":
            return "data"
        return next((name for name, value in self.__dict__.items() if value is not None), None)


class _BindingInfo(Message):
    undefined: Final = 0
    out: Final = 1
    inout: Final = 2


class _StatusResult(Message):
    Failure: Final = 0
    Success: Final = 1


class _Protocol:
    """What the library takes for the protocol's module."""

    BindingInfo: Final = _BindingInfo
    StatusResult: Final = _StatusResult

    def __getattr__(self, name: str) -> type[Message]:
        if name.startswith("__"):
            raise AttributeError(name)
        return Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """An indexed function."""

    id: str
    name: str
    trigger: Document
    """The binding that starts it, as function.json would have it."""
    bindings: Sequence[Document]

    @property
    def kind(self) -> str:
        """The trigger's type in lower case: `httptrigger`, `timertrigger`, `activitytrigger`, …"""
        return str(self.trigger["type"]).lower()

    @property
    def client(self) -> str:
        """The parameter that takes the Durable client; empty where there is none."""
        return next((str(b["name"]) for b in self.bindings if str(b["type"]).lower() == "durableclient"), "")


class AppBroken(Exception):
    """The app could not be indexed; the message is the worker's."""


class InvocationFailed(Exception):
    """The function raised; the message is the exception's, `trace` its stack."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


class Worker:
    """The app in this process, as Azure's worker runs it. One at a time: the library keeps its state in modules."""

    _taken: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.functions: Mapping[str, Function] = {}
        self._started = False

    async def start(self) -> None:
        """Index the app. Raises `AppBroken`."""
        if not self._taken.acquire(blocking=False):
            raise AppBroken("another app runs in this process")
        self._started = True
        # A worker starts with a fresh app; its settings may be others than those of the one before.
        sys.modules.pop("function_app", None)
        runtime.start_threadpool_executor()
        init = Message(capabilities={}, function_app_directory=str(self.folder))
        answer = await runtime.worker_init_request(_request(worker_init_request=init))
        if answer.result.status != _StatusResult.Success:
            raise AppBroken(f"{answer.result.exception.message}\n{answer.result.exception.stack_trace}")
        found = await runtime.functions_metadata_request(_request(functions_metadata_request=Message()))
        self.functions = {function.name: function for function in map(_function, found.function_metadata_results or [])}

    async def stop(self) -> None:
        if not self._started:
            return
        # The library's clients keep connections in a module; they belong to this event loop.
        from azure.durable_functions.models.utils import http_utils  # type: ignore[import-untyped] # noqa: PLC0415

        await http_utils._close_session()  # noqa: SLF001 - there is no other way to it
        runtime.stop_threadpool_executor()
        self._started = False
        self._taken.release()

    async def invoke(
        self, name: str, inputs: Mapping[str, Message], metadata: Mapping[str, Message] | None = None
    ) -> Any:
        """Call a function with typed data for each parameter; answers the typed data that it returned, or None.

        Raises:
            InvocationFailed: it raised.
        """
        invocation = Message(
            invocation_id=str(uuid.uuid4()),
            function_id=self.functions[name].id,
            input_data=[Message(name=key, data=value) for key, value in inputs.items()],
            trigger_metadata=dict(metadata or {}),
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await runtime.invocation_request(_request(invocation_request=invocation))
        if answer.result.status != _StatusResult.Success:
            raise InvocationFailed(answer.result.exception.message, answer.result.exception.stack_trace)
        return answer.return_value

    async def invoke_json(self, name: str, parameter: str, value: str) -> str:
        """Call a function that takes JSON text and answers JSON text. Raises `InvocationFailed`."""
        answer = await self.invoke(name, {parameter: Message(string=value)})
        return "null" if answer is None else str(answer.json)


def _request(**body: object) -> Message:
    return Message(request=Message(**body), properties={"host": "127.0.0.1", "protos": _Protocol()})


def _function(metadata: Message) -> Function:
    bindings = [cast("Document", json.loads(text)) for text in cast("list[str]", metadata.raw_bindings)]
    return Function(
        id=metadata.function_id,
        name=metadata.name,
        trigger=next(binding for binding in bindings if str(binding["type"]).lower().endswith("trigger")),
        bindings=bindings,
    )


def methods_of(function: Function) -> list[str]:
    """The methods of an HTTP trigger; all where it names none."""
    methods: Json = function.trigger.get("methods")
    return [str(method).upper() for method in methods] if isinstance(methods, list) and methods else ["*"]
