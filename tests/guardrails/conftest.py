"""An app in memory, as the engine's tests have it."""

from __future__ import annotations

from tests.engine.conftest import app

__all__ = ["app"]
