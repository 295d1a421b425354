"""In which order treatments go, and how many at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.waves import LARGEST, waves
from model.plans import Treatment
from tests.builders import a_finding, a_plan


def treatments(groups: list[str]) -> list[Treatment]:
    return [
        Treatment(id=str(n), plan=a_plan(finding=a_finding(name=str(n), target=f"/subscriptions/{n}"), group=group))
        for n, group in enumerate(groups)
    ]


some = st.lists(st.sampled_from(["", "", "", "clones-of:a", "clones-of:b"]), max_size=80)


@given(some)
def test_nothing_is_lost_and_nothing_comes_twice(groups: list[str]) -> None:
    all_ = treatments(groups)
    keys = [str(key) for wave in waves(all_) for key in wave]  # type: ignore[union-attr]

    assert sorted(keys) == sorted(t.plan.finding.key for t in all_)


@given(some)
def test_two_of_a_group_never_share_a_wave(groups: list[str]) -> None:
    """The first one changes what the second was planned for."""
    all_ = treatments(groups)
    group = {t.plan.finding.key: t.plan.group for t in all_}

    for wave in waves(all_):
        assert isinstance(wave, list)
        shared = [group[str(key)] for key in wave if group[str(key)]]
        assert len(shared) == len(set(shared))


@given(some)
def test_the_first_wave_is_one_and_each_is_at_most_twice_the_one_before(groups: list[str]) -> None:
    sizes = [len(wave) for wave in waves(treatments(groups))]  # type: ignore[arg-type]

    assert all(size <= most for size, most in zip(sizes, [min(2**n, LARGEST) for n in range(len(sizes))], strict=True))
    assert all(sizes)


def test_without_groups_sizes_double_up_to_sixteen() -> None:
    """A fault in the fix shows on one machine before it meets many."""
    assert [len(wave) for wave in waves(treatments([""] * 70))] == [1, 2, 4, 8, 16, 16, 16, 7]  # type: ignore[arg-type]


@given(some)
def test_those_of_no_group_keep_their_order(groups: list[str]) -> None:
    all_ = treatments(groups)
    free = [t.plan.finding.key for t in all_ if not t.plan.group]

    assert [key for wave in waves(all_) for key in wave if key in free] == free  # type: ignore[union-attr]


def test_nothing_makes_no_wave() -> None:
    assert waves([]) == []
