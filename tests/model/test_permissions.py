"""What a role grants, with wildcards, and what it leaves out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.permissions import Permission, granted

WRITE = "Microsoft.Compute/virtualMachines/runCommands/write"


@pytest.mark.parametrize(
    ("actions", "not_actions", "grants"),
    [
        (["*"], [], True),
        ([WRITE], [], True),
        ([WRITE.upper()], [], True),
        (["Microsoft.Compute/*"], [], True),
        (["Microsoft.Compute/*/write"], [], True),
        (["*/write"], [], True),
        (["Microsoft.Compute/virtualMachines/runCommands/*"], [], True),
        (["Microsoft.Compute/virtualMachines/*/write"], [], True),
        # A wildcard is no prefix, and a point no wildcard.
        (["Microsoft.Compute/virtualMachines"], [], False),
        (["MicrosoftXCompute/virtualMachines/runCommands/write"], [], False),
        (["*/read"], [], False),
        (["Microsoft.HybridCompute/*"], [], False),
        ([], [], False),
        ([""], [], False),
        # What is left out is not granted, by whatever else it matches.
        (["*"], ["Microsoft.Compute/*/write"], False),
        (["*"], ["*/delete"], True),
        ([WRITE], ["*"], False),
    ],
)
def test_a_role_grants_what_its_actions_match_and_its_not_actions_do_not(
    actions: list[str], not_actions: list[str], *, grants: bool
) -> None:
    assert Permission(actions=tuple(actions), not_actions=tuple(not_actions)).grants(WRITE) is grants


def test_what_one_role_leaves_out_another_may_grant() -> None:
    """`notActions` are no prohibition."""
    contributor = Permission(actions=("*",), not_actions=("Microsoft.Compute/*",))
    helper = Permission(actions=("Microsoft.Compute/virtualMachines/*",))

    assert not granted([contributor], WRITE)
    assert granted([contributor, helper], WRITE)


def test_actions_on_data_are_a_matter_of_their_own() -> None:
    """A role for everything on the control plane reads no blob, and the other way about."""
    read = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
    owner, reader = Permission(actions=("*",)), Permission(data_actions=("*/read",), not_data_actions=("*/tables/*",))

    assert (granted([owner], read, on_data=True), granted([reader], read, on_data=True)) == (False, True)
    assert (granted([owner], WRITE), granted([reader], WRITE)) == (True, False)


@given(st.text(st.sampled_from("aA/.*+()[]\\$^"), max_size=12))
def test_only_the_star_stands_for_something_else(pattern: str) -> None:
    """Whatever else a pattern holds means itself."""
    assert Permission(actions=(pattern,)).grants(pattern.replace("*", "x/y"))
    if "*" not in pattern:
        assert not Permission(actions=(pattern,)).grants(pattern + "a")
