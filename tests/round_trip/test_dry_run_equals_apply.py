"""What a dry run lists is what an apply sends: the same requests with the same bodies, in the same order, and no other.

`make fidelity` compares two hundred estates in this way.
"""

from __future__ import annotations

import pytest

from bench.fidelity import applied_to, compared, requests_of
from tests.round_trip.estate import suffering


@pytest.mark.parametrize("seed", [2, 9])
def test_what_a_dry_run_lists_for_a_generated_estate_is_what_is_sent(seed: int) -> None:
    one = compared(seed)

    assert one.differences == ()
    assert one.sent > 5


def test_what_a_dry_run_lists_for_every_kind_of_fix_is_what_is_sent() -> None:
    planned, applied, sent = applied_to(suffering())

    plans = {plan["finding"]: plan for plan in planned["plans"]}
    treated = dict.fromkeys(step["finding"] for step in applied["steps"])
    assert sent == [request for key in treated for step in plans[key]["steps"] for request in requests_of(step)]
    kinds = {step["kind"] for key in treated for step in plans[key]["steps"]}
    assert kinds >= {"put-deployment", "put-saved-search", "run-script", "register-provider", "start-machine"}
