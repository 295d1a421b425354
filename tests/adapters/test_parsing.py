"""Documents of any shape: the fields that decisions need, or a reading that says it is unreadable."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import parsing
from engine.ports import AzureUnavailable
from model.documents import Document, Json
from model.facts import PowerState

ID = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/Web-01"

PARSERS: list[Callable[[Document], object]] = [
    lambda document: parsing.machine(document, is_arc=False),
    parsing.deployment,
    parsing.run,
    parsing.machine_run,
    lambda document: parsing.user_worker("group", document),
    parsing.saved_search,
]

# fmt: off
KEYS = st.sampled_from([
    "id", "name", "type", "tags", "properties", "updateConfiguration", "azureVirtualMachines", "targets",
    "azureQueries", "scope", "duration", "startTime", "status", "error", "message", "correlationId", "groupType",
    "etag", "vmId", "os", "power", "nextRun", "scheduleInfo", "vmResourceId", "targetComputer",
    "softwareUpdateConfiguration",
])
# fmt: on
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([ID, "PT2H", "2026-03-10T06:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6), st.sampled_from(PARSERS))
def test_no_document_breaks_a_reading(document: dict[str, Json], parser: Callable[[Document], object]) -> None:
    """Missing, null and mistyped fields are tolerated; only what has no identity cannot be kept."""
    identified: Document = {**document, "id": ID}
    parser(identified)
    with contextlib.suppress(AzureUnavailable):
        parser(document)


@pytest.mark.parametrize("id_", [None, "", "/", 7, ["x"], {}])
@pytest.mark.parametrize("parser", [p for p in PARSERS if p not in {parsing.run, parsing.machine_run}])
def test_an_entry_without_an_id_makes_the_reading_unreadable(parser: Callable[[Document], object], id_: Json) -> None:
    """Skipping it would make a short list look whole."""
    with pytest.raises(AzureUnavailable):
        parser({"id": id_, "name": "n", "properties": {}})


@pytest.mark.parametrize("parser", [parsing.run, parsing.machine_run])
def test_a_run_is_known_by_its_name_as_well(parser: Callable[[Document], object]) -> None:
    parser({"name": "n"})
    with pytest.raises(AzureUnavailable, match="without an id"):
        parser({"properties": {}})


@pytest.mark.parametrize(
    ("said", "power"),
    [
        ("PowerState/running", PowerState.RUNNING),
        ("powerstate/RUNNING", PowerState.RUNNING),
        ("PowerState/starting", PowerState.STARTING),
        ("PowerState/stopped", PowerState.STOPPED),
        ("PowerState/deallocated", PowerState.DEALLOCATED),
        ("PowerState/hibernated", PowerState.UNKNOWN),
        ("", PowerState.UNKNOWN),
        (None, PowerState.UNKNOWN),
        ("Connected", PowerState.RUNNING),
        ("Disconnected", PowerState.UNKNOWN),
    ],
)
def test_a_power_state_that_is_not_known_is_unknown(said: Json, power: PowerState) -> None:
    assert parsing.machine({"id": ID, "power": said}, is_arc=False).power is power


def test_an_identity_is_lower_case_and_the_spelling_is_kept() -> None:
    machine = parsing.machine({"id": ID, "name": "Web-01", "vmId": "ABC", "tags": {"a": "B", "n": 1}}, is_arc=False)
    assert (machine.id, machine.arm_id, machine.vm_id) == (ID.lower(), ID, "abc")
    assert machine.tags == {"a": "B"}


def test_an_id_without_its_first_slash_is_mended() -> None:
    assert parsing.saved_search({"id": ID[1:], "etag": "e"}).arm_id == ID
