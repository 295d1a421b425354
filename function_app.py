"""The function app: registers the entrances and gives them the one engine, which is built when it is first needed.

Azure imports this module whenever it starts a worker, so it imports the two Functions packages and nothing else that
takes time. Wrong settings are no reason not to start: they are told by `GET /api/health`, and whoever asks for more
is told the same.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from typing import TYPE_CHECKING

import azure.durable_functions as df  # type: ignore[import-untyped] # ships no types
import azure.functions as func

from triggers import alerts, auditing, http_api, orchestrators, people, portal, timer
from triggers.problems import NotReady

if TYPE_CHECKING:
    from engine.engine import Engine

# No payload of the process names a Python class, and none that came from outside shall be able to.
os.environ.setdefault("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")

log = logging.getLogger("patchwright")

_QUOTED = re.compile(r"(['\"])(?:\\.|(?!\1).)*(?:\1|$)", re.DOTALL)


class _Engines:
    """Builds the engine once; what stands in the way is logged once and told to everyone who asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._told: set[str] = set()

    def __call__(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._build()
            return self._engine

    def _build(self) -> Engine:
        from adapters.ledgers import InvalidLedgerAddress  # noqa: PLC0415 - heavy; the start must not pay
        from composition import build, storage_of  # noqa: PLC0415 - as above
        from engine.ports import LedgerUnreadable  # noqa: PLC0415 - as above
        from engine.settings import InvalidSettings, Settings  # noqa: PLC0415 - as above
        from triggers.ncrontab import InvalidSchedule, Schedule  # noqa: PLC0415 - as above

        try:
            settings = Settings.from_env(os.environ)
            Schedule.parse(settings.sweep_schedule)
            return build(settings, ledger=storage_of(os.environ, settings.cloud))
        except InvalidSettings as error:
            problems = error.problems
        except InvalidSchedule as error:
            problems = (f"SWEEP_SCHEDULE: {error}",)
        except InvalidLedgerAddress as error:
            problems = (f"PATCHWRIGHT_LEDGER: {error}",)
        except LedgerUnreadable as error:
            problems = (str(error),)
        # Something secret may stand in the wrong setting: its value is no business of a log or of an answer.
        problems = tuple(_QUOTED.sub("…", problem) for problem in problems)
        for problem in problems:
            if problem not in self._told:
                self._told.add(problem)
                log.error("not ready", extra={"problem": problem})
        raise NotReady(problems)


engine = _Engines()
app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for entrance in (http_api, auditing, people, portal, alerts, timer, orchestrators):
    app.register_functions(entrance.blueprint(engine))
