"""How a table of cases says what a detector answered."""

from __future__ import annotations

from collections.abc import Iterable

from model.findings import Detection, Finding, Unknown


def found(detections: Iterable[Detection]) -> list[str]:
    """The targets of findings."""
    return sorted(one.target for one in detections if isinstance(one, Finding))


def unknown(detections: Iterable[Detection]) -> dict[str, str]:
    """What could not be told, by target, and why."""
    return {one.target: one.missing for one in detections if isinstance(one, Unknown)}


def answer(detections: Iterable[Detection]) -> str:
    """`found`, `unknown` or `nothing`, where at most one thing is said."""
    said = list(detections)
    assert len(said) <= 1
    return "nothing" if not said else "found" if isinstance(said[0], Finding) else "unknown"
