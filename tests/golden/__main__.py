"""Writes the golden files anew: `python -m tests.golden`, or `make golden`. Read what git says has changed."""

from __future__ import annotations

from tests.golden.estates import ESTATES, INSIDE
from tests.golden.telling import golden, told

if __name__ == "__main__":
    for state, estate in ESTATES.items():
        golden(state).write_text(told(state, estate(), INSIDE.get(state)), encoding="utf-8")
