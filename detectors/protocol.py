"""What a detector is: one failure state, what it must read, and a pure answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from model.facts import Facts, Reading
from model.findings import Detection, Unknown
from model.states import FailureState


class Detector(Protocol):
    """Finds one failure state in the facts; never sends a request, never asks for the time."""

    finds: ClassVar[FailureState]
    reads: ClassVar[frozenset[Reading]]
    """The readings that `detect` and `suspects` rely on; the engine loads the union of all detectors'."""
    queries: ClassVar[frozenset[str]]
    """Names of the `.kql` files in this folder whose rows it takes from `Facts.rows`."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        """Lower-case resource ids whose full document `detect` wants; as many as are broken, never the fleet."""
        ...

    def detect(self, facts: Facts) -> Iterator[Detection]:
        """Everything found and everything that could not be told; what is healthy is not mentioned."""
        ...


@runtime_checkable
class LooksInside(Protocol):
    """What a detector may have besides: it is helped by a diagnosis from inside of some machines."""

    def probes(self, facts: Facts) -> frozenset[str]:
        """Lower-case resource ids of machines under suspicion; `Facts.diagnoses` may then hold what they said."""
        ...


def kql(name: str) -> str:
    """The text of a query beside the detectors. It takes no parameters, so nothing is ever spliced into it."""
    return (Path(__file__).parent / f"{name}.kql").read_text(encoding="utf-8")


def unreadable(detector: Detector, facts: Facts) -> Unknown | None:
    """Unknown as a whole, where something that the detector needs could not be read."""
    gap = facts.missing(*sorted(detector.reads), *sorted(detector.queries))
    return Unknown(state=detector.finds, target="", missing=gap.what) if gap else None
