"""Any sequence of calls, from two processes, leaves every store in the state of a dictionary and a list."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine.ports import Entry, Ledger
from model.documents import Document

NOW = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)

processes = st.integers(0, 1)
# Few of each, so that the same is often asked twice.
runs = st.sampled_from(["20260309T02", "20260309T02Z", "20260310T02", "ü/\\#?%"])
ids = st.sampled_from(["run", "finding:a", "finding:A", "finding:b", "step:1", ""])
keys = st.sampled_from(["deployment", "Deployment", "/subscriptions/x"])
holders = st.sampled_from(["run-1", "run-2", "run-3"])
minutes = st.integers(0, 5).map(lambda count: timedelta(minutes=count))


class LedgerAgainstModel(RuleBasedStateMachine):
    """Two handles on one ledger, and what it should hold."""

    ledgers: tuple[Ledger, Ledger]

    @initialize()
    def begin(self) -> None:
        # Examples share the store: each has runs and keys of its own, by a mark that no other has.
        self.mark = uuid.uuid4().hex
        self.now = NOW
        self.written: dict[str, list[Entry]] = {}
        self.held: dict[str, tuple[str, datetime]] = {}

    @rule(process=processes, entries=st.lists(st.tuples(runs, ids, st.integers()), max_size=5))
    def append(self, process: int, entries: list[tuple[str, str, int]]) -> None:
        given, expected = [], []
        for run, id_, number in entries:
            body: Document = {"number": number}
            entry = Entry(run=self.mark + run, id=id_, kind="step", at=self.now, body=body)
            there = self.written.setdefault(entry.run, [])
            expected.append(all(other.id != id_ for other in there))
            if expected[-1]:
                there.append(entry)
            given.append(entry)

        assert self.ledgers[process].append(given) == tuple(expected)

    @rule(process=processes, run=runs)
    def read(self, process: int, run: str) -> None:
        assert self.ledgers[process].entries(self.mark + run) == tuple(self.written.get(self.mark + run, []))

    @rule(process=processes, limit=st.integers(1, 3), before=runs)
    def list_older(self, process: int, limit: int, before: str) -> None:
        found = self.ledgers[process].runs(limit, before=self.mark + before)

        older = sorted((run for run in self.written if run < self.mark + before), reverse=True)
        # What follows our own runs belongs to other examples.
        assert [run for run in found if run.startswith(self.mark)] == older[:limit]

    @rule(process=processes, key=keys, holder=holders, length=minutes)
    def claim(self, process: int, key: str, holder: str, length: timedelta) -> None:
        other, until = self.held.get(key, (holder, self.now))
        if other == holder or until <= self.now:
            self.held[key] = (holder, self.now + length)

        assert self.ledgers[process].claim(self.mark + key, holder, self.now, self.now + length) == self.held[key][0]

    @rule(process=processes, key=keys, holder=holders)
    def release(self, process: int, key: str, holder: str) -> None:
        if self.held.get(key, ("", self.now))[0] == holder:
            del self.held[key]

        self.ledgers[process].release(self.mark + key, holder)

    @rule(length=minutes)
    def pass_time(self, length: timedelta) -> None:
        self.now += length

    @invariant()
    def both_processes_see_the_same(self) -> None:
        for run, entries in self.written.items():
            assert self.ledgers[0].entries(run) == self.ledgers[1].entries(run) == tuple(entries)


def test_a_ledger_is_a_list_of_entries_and_a_dictionary_of_claims(store: Callable[[], Ledger]) -> None:
    class OnThisStore(LedgerAgainstModel):
        ledgers = (store(), store())

    run_state_machine_as_test(OnThisStore, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
