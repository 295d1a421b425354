"""In which order treatments go, and how many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from model.documents import Json
from model.plans import Treatment

LARGEST: Final = 16


def waves(treatments: Iterable[Treatment], largest: int = LARGEST) -> list[Json]:
    """One first, then two, four, and so on: a fault in the fix shows on one machine before it meets many.

    No wave is larger than `largest`: each looks again before it acts, and a larger one would act on older facts.
    Two treatments of one group never share a wave, because the first changes what the second was planned for.
    """
    left, size, found = list(treatments), 1, list[Json]()
    while left:
        wave: list[Treatment] = []
        for treatment in left:
            groups = {t.plan.group for t in wave if t.plan.group}
            if len(wave) < size and treatment.plan.group not in groups:
                wave.append(treatment)
        taken = {t.plan.finding.key for t in wave}
        left = [t for t in left if t.plan.finding.key not in taken]
        found.append([t.plan.finding.key for t in wave])
        size = min(size * 2, largest)
    return found
