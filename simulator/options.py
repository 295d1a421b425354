"""How the simulated Azure behaves where Azure leaves room."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    page_size: int = 100
    """Runs, machine runs, workers and VMs a page."""
    graph_page_size: int = 1000
    """Rows a page of Resource Graph; more are never given."""
    retry_after: int = 1
    """Whole seconds that answers of long operations ask the client to wait; 0 asks nothing, and its own pace holds."""
    looks: int = 1
    """How many looks find a long operation still running while time stands still."""
    flows: bool = False
    """Whether simulated time flows with real time; else it moves only when told to."""
    keep_bodies: bool = True
    """Whether the request log keeps request bodies."""
