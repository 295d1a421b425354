"""What every store of the ledger promises, whichever it is."""

from __future__ import annotations

import random
import string
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.ports import MAX_RUN_ID, RESERVED, Entry, Ledger
from model.documents import Document, Json

type Store = Callable[[], Ledger]

NOW = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
RUN = "20260309T020000Z-7f3a"
MINUTE = timedelta(minutes=1)

# The store stays the same over the examples of a property: each example uses a run or a key of its own.
over_one_store = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def an_entry(id_: str = "finding", *, run: str = RUN, at: datetime = NOW, body: Document | None = None) -> Entry:
    return Entry(run=run, id=id_, kind="finding", at=at, body=body if body is not None else {"reason": "late"})


def ids(ledger: Ledger, run: str = RUN) -> list[str]:
    return [entry.id for entry in ledger.entries(run)]


class TestEntries:
    def test_what_was_appended_is_read_back_as_it_was(self, ledger: Ledger) -> None:
        entry = an_entry(body={"a": [1, 2.5, None, True, {"b": "ü"}], "": {}})

        assert ledger.append([entry]) == (True,)

        assert ledger.entries(RUN) == (entry,)

    def test_a_question_about_one_finding_is_answered_with_its_lines_only(self, ledger: Ledger) -> None:
        """`about` and `kinds` narrow down together; large bodies, which lie in rows of their own, come whole."""
        large: Document = {"text": random.Random(1).randbytes(600_000).hex()}
        lines = [
            Entry(run=RUN, id="plan:a", kind="plan", at=NOW, body=large, about="a'ü"),
            Entry(run=RUN, id="step:a", kind="step", at=NOW, body={}, about="a'ü"),
            Entry(run=RUN, id="plan:b", kind="plan", at=NOW, body={}, about="b"),
            Entry(run=RUN, id="status", kind="status", at=NOW, body={}),
        ]
        ledger.append(lines)

        assert ledger.entries(RUN, about="a'ü") == (lines[0], lines[1])
        assert ledger.entries(RUN, kinds=frozenset({"plan"})) == (lines[0], lines[2])
        assert ledger.entries(RUN, kinds=frozenset({"plan", "status"}), about="") == (lines[3],)
        assert ledger.entries(RUN, kinds=frozenset()) == ()
        # More kinds than a filter of Table Storage may compare.
        assert ledger.entries(RUN, kinds=frozenset({"plan", *map(str, range(20))})) == (lines[0], lines[2])
        assert ledger.entries(RUN, about="c") == ()

    def test_an_unknown_run_has_no_entries(self, ledger: Ledger) -> None:
        assert ledger.entries("never-was") == ()

    def test_appending_nothing_does_nothing(self, ledger: Ledger) -> None:
        assert ledger.append([]) == ()
        assert ledger.runs(10) == ()

    def test_an_entry_that_is_there_is_left_as_it_was(self, ledger: Ledger) -> None:
        """The answer says for each entry whether it was written now; what was first stays."""
        ledger.append([an_entry("b", body={"first": True})])

        assert ledger.append([an_entry("a"), an_entry("b", body={"first": False}), an_entry("c")]) == (
            True,
            False,
            True,
        )

        assert ids(ledger) == ["b", "a", "c"]
        assert ledger.entries(RUN)[0].body == {"first": True}

    def test_the_same_id_twice_in_one_call_is_written_once(self, ledger: Ledger) -> None:
        assert ledger.append([an_entry("a", body={"n": 1}), an_entry("a", body={"n": 2})]) == (True, False)
        assert [entry.body for entry in ledger.entries(RUN)] == [{"n": 1}]

    def test_the_same_id_in_two_runs_is_two_entries(self, ledger: Ledger) -> None:
        assert ledger.append([an_entry(run="run-1"), an_entry(run="run-2")]) == (True, True)
        assert ledger.entries("run-1") == (an_entry(run="run-1"),)
        assert ledger.entries("run-2") == (an_entry(run="run-2"),)

    def test_entries_keep_the_order_of_writing_whatever_their_ids_and_times_say(self, ledger: Ledger) -> None:
        for number, id_ in enumerate(["z", "a", "m", "A", "0"]):
            ledger.append([an_entry(id_, at=NOW - number * MINUTE)])

        assert ids(ledger) == ["z", "a", "m", "A", "0"]

    def test_the_order_holds_across_processes(self, store: Store) -> None:
        ledgers = [store(), store()]
        for number in range(10):
            ledgers[number % 2].append([an_entry(f"e{9 - number}")])

        assert ids(store()) == [f"e{9 - number}" for number in range(10)]

    def test_one_call_may_write_more_than_one_transaction_holds(self, ledger: Ledger) -> None:
        """Azure's transactions hold a hundred rows; a sweep finds more than that."""
        entries = [an_entry(f"finding:{number}") for number in range(350)]

        assert ledger.append(entries[100:150]) == (True,) * 50
        assert ledger.append(entries) == (True,) * 100 + (False,) * 50 + (True,) * 200

        assert ids(ledger) == [entry.id for entry in entries[100:150] + entries[:100] + entries[150:]]

    def test_a_time_in_another_zone_is_the_same_time(self, ledger: Ledger) -> None:
        at = datetime(2026, 3, 9, 4, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
        ledger.append([an_entry(at=at)])

        assert ledger.entries(RUN)[0].at == at

    def test_what_is_written_is_still_there_when_the_ledger_is_opened_again(self, store: Store) -> None:
        first = store()
        first.append([an_entry()])
        first.claim("key", "me", NOW, NOW + MINUTE)
        first.close()

        again = store()
        assert again.entries(RUN) == (an_entry(),)
        assert again.claim("key", "you", NOW, NOW + MINUTE) == "me"

    @pytest.mark.parametrize("run", ["", "r" * (MAX_RUN_ID + 1), "ü" * (MAX_RUN_ID // 2 + 1)])
    def test_a_run_id_that_is_no_key_is_refused_before_anything_is_written(self, ledger: Ledger, run: str) -> None:
        with pytest.raises(ValueError, match="a run id has 1 to 200 bytes"):
            ledger.append([an_entry(run="good"), an_entry(run=run)])

        assert ledger.runs(10) == ()


class TestBigBodies:
    def test_a_body_of_megabytes_that_hardly_compresses_comes_back(self, ledger: Ledger) -> None:
        """Azure's entities hold 1 MiB; a plan over many machines, with their documents, is larger."""
        text = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=3_000_000))
        entries = [an_entry("small"), an_entry("big", body={"text": text}), an_entry("after")]

        assert ledger.append(entries) == (True, True, True)
        assert ledger.append([an_entry("big", body={"text": "other"})]) == (False,)

        assert ledger.entries(RUN) == tuple(entries)

    def test_many_middling_bodies_in_one_call_come_back(self, ledger: Ledger) -> None:
        """Together they are more than a transaction may carry (4 MiB)."""
        rng = random.Random(2)
        entries = [an_entry(f"e{n}", body={"text": rng.randbytes(150_000).hex()}) for n in range(40)]

        assert all(ledger.append(entries))
        assert ledger.entries(RUN) == tuple(entries)

    def test_two_writers_of_one_entry_never_mix_their_big_bodies(self, store: Store) -> None:
        bodies: list[Document] = [{"text": random.Random(n).randbytes(900_000).hex()} for n in range(3)]

        ledgers = [store() for _ in bodies]

        def append(thread: int, id_: str) -> tuple[bool, ...]:
            return ledgers[thread].append([an_entry(id_, body=bodies[thread])])

        answers = at_once(3, append, "big")

        winner = answers.index((True,))
        assert sorted(answers) == [(False,), (False,), (True,)]
        assert store().entries(RUN) == (an_entry("big", body=bodies[winner]),)


class TestAnyText:
    any_text = st.text(st.characters(), max_size=60)
    any_json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )

    @over_one_store
    @given(
        run=st.text(st.characters(), min_size=1, max_size=40),
        entries=st.lists(st.tuples(any_text, any_text, any_json), max_size=6, unique_by=lambda entry: entry[0]),
        # An hour that a clock shows twice or never is unequal to the same instant in another zone (PEP 495).
        at=st.datetimes(timezones=st.timezones()).filter(
            lambda at: at.replace(fold=0).utcoffset() == at.replace(fold=1).utcoffset()
        ),
    )
    @example(run="a/b\\c#d?e%2F\t\x00\x7f'' or 1", entries=[("\ud800", "'", {}), ("", "", [])], at=NOW)
    def test_ids_kinds_and_bodies_may_hold_any_character(
        self, ledger: Ledger, run: str, entries: list[tuple[str, str, Json]], at: datetime
    ) -> None:
        wanted = [Entry(run=run, id=id_, kind=kind, at=at, body={"value": value}) for id_, kind, value in entries]
        before = {entry.id for entry in ledger.entries(run)}

        answers = ledger.append(wanted)

        assert answers == tuple(entry.id not in before for entry in wanted)
        assert [entry for entry in ledger.entries(run) if entry.id not in before] == [
            entry for entry in wanted if entry.id not in before
        ]
        assert not entries or run in ledger.runs(1000)

    @over_one_store
    @given(key=any_text, holder=any_text.filter(bool))
    def test_keys_and_holders_may_hold_any_character(self, ledger: Ledger, key: str, holder: str) -> None:
        assert ledger.claim(key, holder, NOW, NOW + MINUTE) == holder
        assert ledger.claim(key, "somebody else", NOW, NOW + MINUTE) == holder
        ledger.release(key, holder)


class TestRuns:
    def test_runs_are_listed_newest_first_in_pages(self, ledger: Ledger) -> None:
        for day in (3, 1, 2, 5, 4):
            ledger.append([an_entry(run=f"2026030{day}T020000Z")])

        first = ledger.runs(2)
        assert first == ("20260305T020000Z", "20260304T020000Z")
        second = ledger.runs(2, before=first[-1])
        assert second == ("20260303T020000Z", "20260302T020000Z")
        assert ledger.runs(2, before=second[-1]) == ("20260301T020000Z",)
        assert ledger.runs(2, before="20260301T020000Z") == ()

    def test_the_app_s_own_record_is_kept_and_never_listed(self, ledger: Ledger) -> None:
        ledger.append([an_entry(), an_entry("pause", run=f"{RESERVED}control")])

        assert ids(ledger, f"{RESERVED}control") == ["pause"]
        assert ledger.runs(10) == (RUN,)

    def test_a_limit_of_nothing_lists_nothing(self, ledger: Ledger) -> None:
        ledger.append([an_entry()])
        assert ledger.runs(0) == ()

    def test_a_run_is_listed_once_however_much_is_written(self, ledger: Ledger) -> None:
        for number in range(3):
            ledger.append([an_entry(f"e{number}")])
        assert ledger.runs(10) == (RUN,)

    @settings(over_one_store, max_examples=10)
    @given(
        suffixes=st.lists(
            st.text(st.characters(), min_size=1, max_size=8) | st.text("ab", min_size=1, max_size=3),
            min_size=1,
            max_size=8,
            unique=True,
        ),
        place=st.integers(0, 7),
    )
    def test_newest_first_is_the_reverse_order_of_text(self, ledger: Ledger, suffixes: list[str], place: int) -> None:
        """An id that is the beginning of another is the older of the two."""
        mark = uuid.uuid4()
        runs = [f"{mark}{suffix}" for suffix in suffixes]
        ledger.append([an_entry(run=run) for run in runs])
        before = runs[place % len(runs)]

        listed = [run for run in ledger.runs(1000) if run.startswith(str(mark))]
        older = [run for run in ledger.runs(1000, before=before) if run.startswith(str(mark))]

        assert listed == sorted(runs, reverse=True)
        assert older == sorted((run for run in runs if run < before), reverse=True)


class TestClaims:
    def test_a_free_key_is_taken(self, ledger: Ledger) -> None:
        assert ledger.claim("deployment-1", "run-1", NOW, NOW + MINUTE) == "run-1"

    def test_a_key_is_held_until_its_time_and_not_longer(self, ledger: Ledger) -> None:
        """The clock is the caller's: nothing here waits."""
        ledger.claim("key", "first", NOW, NOW + 10 * MINUTE)

        # At the last microsecond it is held; at the very time it is free.
        just_before = NOW + 10 * MINUTE - timedelta(microseconds=1)
        assert ledger.claim("key", "second", just_before, NOW + 20 * MINUTE) == "first"
        assert ledger.claim("key", "second", NOW + 10 * MINUTE, NOW + 20 * MINUTE) == "second"
        assert ledger.claim("key", "first", NOW + 11 * MINUTE, NOW + 20 * MINUTE) == "second"

    def test_the_holder_may_claim_again_and_holds_it_longer(self, ledger: Ledger) -> None:
        """A process that is replayed, or that needs more time, asks with the same words."""
        ledger.claim("key", "first", NOW, NOW + MINUTE)
        assert ledger.claim("key", "first", NOW, NOW + 5 * MINUTE) == "first"
        assert ledger.claim("key", "second", NOW + 2 * MINUTE, NOW + 9 * MINUTE) == "first"

    def test_who_holds_what_can_be_asked_without_taking_it(self, ledger: Ledger) -> None:
        """More keys than a filter of Table Storage may compare; one that nobody has ever heard of is free."""
        keys = [f"key-{number}'ü" for number in range(40)]
        for key in keys[::2]:
            ledger.claim(key, "first", NOW, NOW + MINUTE)

        assert ledger.holders(keys, NOW) == dict.fromkeys(keys[::2], "first")
        assert ledger.holders(keys, NOW + MINUTE) == {}
        assert ledger.holders([], NOW) == {}
        assert ledger.claim(keys[1], "second", NOW, NOW + MINUTE) == "second"

    def test_a_key_given_back_is_free(self, ledger: Ledger) -> None:
        ledger.claim("key", "first", NOW, NOW + MINUTE)
        ledger.release("key", "first")
        assert ledger.claim("key", "second", NOW, NOW + MINUTE) == "second"

    def test_only_the_holder_gives_a_key_back(self, ledger: Ledger) -> None:
        ledger.claim("key", "first", NOW, NOW + MINUTE)
        ledger.release("key", "second")
        assert ledger.claim("key", "second", NOW, NOW + MINUTE) == "first"

    def test_giving_back_what_nobody_holds_does_nothing(self, ledger: Ledger) -> None:
        ledger.release("key", "first")
        assert ledger.claim("key", "second", NOW, NOW + MINUTE) == "second"

    def test_keys_do_not_know_each_other(self, ledger: Ledger) -> None:
        assert ledger.claim("a", "first", NOW, NOW + MINUTE) == "first"
        assert ledger.claim("A", "second", NOW, NOW + MINUTE) == "second"


class TestAtOnce:
    """What is delivered twice at the same time is done once."""

    def test_of_eight_writers_of_one_entry_exactly_one_wrote_it(self, store: Store) -> None:
        ledgers = [store() for _ in range(8)]

        def append(thread: int, id_: str) -> tuple[bool, ...]:
            return ledgers[thread].append([an_entry(id_)])

        for number in range(5):
            answers = at_once(8, append, f"step-{number}")

            assert sorted(answers) == [(False,)] * 7 + [(True,)]
        assert ids(ledgers[0]) == [f"step-{number}" for number in range(5)]

    def test_threads_share_one_ledger(self, ledger: Ledger) -> None:
        """Each thread's entries keep their order, and none is lost."""

        def write(thread: int, kind: str) -> None:
            for number in range(6):
                assert ledger.append([an_entry(f"{kind}:{thread}:{number}")]) == (True,)

        at_once(8, write, "step")

        found = ids(ledger)
        assert len(found) == 48
        for thread in range(8):
            own = f"step:{thread}:"
            assert [id_ for id_ in found if id_.startswith(own)] == [f"{own}{number}" for number in range(6)]

    def test_overlapping_batches_write_each_entry_once(self, store: Store) -> None:
        """Two deliveries of one activity, and a third that is ahead of them."""
        ledgers = [store() for _ in range(3)]
        batches = [[an_entry(f"e{n}") for n in range(start, start + 60)] for start in (0, 0, 30)]

        def append(thread: int, _: str) -> tuple[bool, ...]:
            return ledgers[thread].append(batches[thread])

        answers = at_once(3, append, "")

        written = [entry.id for n in range(3) for entry, new in zip(batches[n], answers[n], strict=True) if new]
        assert sorted(written) == sorted(f"e{n}" for n in range(90))
        assert sorted(ids(ledgers[0])) == sorted(written)

    def test_of_eight_that_claim_a_key_exactly_one_holds_it(self, store: Store) -> None:
        ledgers = [store() for _ in range(8)]

        def claim(thread: int, key: str) -> str:
            return ledgers[thread].claim(key, f"run-{thread}", NOW, NOW + MINUTE)

        for number in range(5):
            answers = at_once(8, claim, f"key-{number}")

            assert len(set(answers)) == 1
            assert ledgers[0].claim(f"key-{number}", "late", NOW, NOW + MINUTE) == answers[0]

    def test_of_eight_that_take_over_an_expired_claim_exactly_one_holds_it(self, store: Store) -> None:
        ledgers = [store() for _ in range(8)]
        later = NOW + 5 * MINUTE

        def claim(thread: int, key: str) -> str:
            return ledgers[thread].claim(key, f"run-{thread}", later, later + MINUTE)

        for number in range(5):
            ledgers[0].claim(f"key-{number}", "crashed", NOW, NOW + MINUTE)
            answers = at_once(8, claim, f"key-{number}")

            assert len(set(answers)) == 1
            assert answers[0] != "crashed"


def at_once[T](count: int, work: Callable[[int, str], T], what: str) -> list[T]:
    """The answers of `count` threads that begin `work` at the same moment, each with its number and `what`."""
    gate = threading.Barrier(count)

    def one(number: int) -> T:
        gate.wait()
        return work(number, what)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
