"""The one door for changes: re-read, compare, ask whether writing is allowed, write once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from adapters.clients import Clients
from adapters.sdk import Rejected, Sdk
from adapters.steps import deployments, identities, power, providers, quotas, saved_searches, scripts
from adapters.steps.door import Door, Refused, escaped
from engine.ports import (
    AzureProblem,
    AzureUnavailable,
    Clock,
    NotFound,
    PermissionMissing,
    RequestCount,
    StepFailed,
    StepForbidden,
    StepProgress,
    StepStale,
    texts,
)
from model.documents import Document, list_at
from model.plans import (
    AwaitIdentity,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
)


class AzureWriter:
    """The `Writer` of Azure, or of a simulated one."""

    def __init__(
        self, clients_factory: Callable[[], Clients], clock: Clock, may_write: Callable[[], str | None]
    ) -> None:
        """`clients_factory` makes the clients of the writing identity; it is called at the first step, not before.

        `may_write` answers in words why nothing may be written now, or None; it is asked right before every write.
        """
        self._factory = clients_factory
        self._clock = clock
        self._may_write = may_write
        self._opening = threading.Lock()
        self._door: Door | None = None

    @property
    def requests(self) -> RequestCount:
        return self._door.requests if self._door else RequestCount()

    def begin(self, step: Step, step_id: str, ours: Mapping[str, Document]) -> StepProgress:
        """See `Writer.begin`."""
        if self._door is None and (reason := self._may_write()):
            # Where nothing may be written there is no need for anybody who could.
            return StepForbidden(reason=reason)

        def begun(door: Door) -> StepProgress:
            match step:
                case PutDeployment():
                    return deployments.begin(door, step, ours)
                case PutSavedSearch():
                    return saved_searches.begin(door, step, ours)
                case RunScript():
                    return scripts.begin(door, step, step_id)
                case AwaitIdentity():
                    return identities.begin(door, step)
                case RegisterProvider():
                    return providers.begin(door, step)
                case StartMachine():
                    return power.begin(door, step)
                case SetDailyQuota():
                    return quotas.begin(door, step)
                case _:
                    assert_never(step)

        return self._through(step, begun)

    def check(self, step: Step, step_id: str, token: Document) -> StepProgress:
        """See `Writer.check`."""

        def looked(door: Door) -> StepProgress:
            match step:
                case PutDeployment():
                    return deployments.check(door, step, token)
                case PutSavedSearch():
                    return saved_searches.check(door, step)
                case RunScript():
                    return scripts.check(door, step, step_id, token)
                case AwaitIdentity():
                    return identities.check(door, step, token)
                case RegisterProvider():
                    return providers.check(door, step, token)
                case StartMachine():
                    return power.check(door, step, token)
                case SetDailyQuota():
                    return quotas.check(door, step)
                case _:
                    assert_never(step)

        progress = self._through(step, looked)
        if isinstance(progress, StepFailed):
            # What was sent when the step began belongs to its failure.
            ids = dict.fromkeys((*texts(list_at(token, "requestIds")), *progress.request_ids))
            return replace(progress, request_ids=tuple(ids))
        return progress

    def _through(self, step: Step, act: Callable[[Door], StepProgress]) -> StepProgress:
        """Act, and turn every way in which Azure can fail into a progress of the step."""
        restores = isinstance(step, PutDeployment | PutSavedSearch) and step.restores
        try:
            return act(self._opened())
        except Refused as error:
            return StepForbidden(reason=str(error))
        except NotFound as error:
            return StepStale(field="id", planned=escaped(str(error)), found=None)
        except (PermissionMissing, Rejected) as error:
            return StepFailed(reason=escaped(str(error)), retry=restores, request_ids=_called(error))
        except AzureUnavailable as error:
            return StepFailed(reason=escaped(str(error)), retry=True, request_ids=_called(error))
        except ValueError as error:
            # An id or a script that is none: no second attempt makes it one.
            return StepFailed(reason=escaped(str(error)))

    def _opened(self) -> Door:
        with self._opening:
            if self._door is None:
                clients = self._factory()
                self._door = Door(
                    sdk=Sdk(clients), requests=clients.requests, clock=self._clock, may_write=self._may_write
                )
            return self._door


def _called(error: AzureProblem) -> tuple[str, ...]:
    return (error.request_id,) if error.request_id else ()
