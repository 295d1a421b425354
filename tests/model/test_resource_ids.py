"""Resource ids and VM ids as identities."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.resource_ids import InvalidResourceId, ResourceId, subscription_of, vm_ids

SUB = "11111111-2222-4333-8444-555555555555"
VM = f"/subscriptions/{SUB}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-01"


@pytest.mark.parametrize(
    ("text", "group", "namespace", "kind", "name"),
    [
        (VM, "rg-web", "Microsoft.Compute", "virtualMachines", "web-01"),
        (f"{VM}/runCommands/pw-1", "rg-web", "Microsoft.Compute", "virtualMachines/runCommands", "pw-1"),
        (f"/subscriptions/{SUB}", "", "", "", SUB),
        (f"/subscriptions/{SUB}/resourceGroups/rg", "rg", "", "", "rg"),
        (f"/Subscriptions/{SUB}/RESOURCEGROUPS/rg", "rg", "", "", "rg"),
        (f"/subscriptions/{SUB}/providers/Microsoft.Automation", "", "Microsoft.Automation", "", SUB),
        # The innermost provider is what the id names.
        (f"{VM}/providers/Microsoft.Maintenance/configurationAssignments/a", "rg-web", "Microsoft.Maintenance",
         "configurationAssignments", "a"),
        ("/subscriptions/s/resourceGroups/g/providers/N.S/workspaces/w/savedSearches/updates|group", "g", "N.S",
         "workspaces/savedSearches", "updates|group"),
    ],
)  # fmt: skip
def test_an_id_is_taken_apart(text: str, group: str, namespace: str, kind: str, name: str) -> None:
    found = ResourceId.parse(text)

    assert (found.resource_group, found.namespace, found.type, found.name) == (group, namespace, kind, name)
    assert found.text == text


@pytest.mark.parametrize("spelling", [VM.upper(), VM.lower(), f"{VM}/", f"  {VM}".strip()])
def test_spelling_does_not_matter(spelling: str) -> None:
    assert ResourceId.parse(spelling).key == VM.lower()
    assert ResourceId.parse(spelling).is_type("microsoft.compute/VirtualMachines")
    assert subscription_of(spelling) == SUB


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "web-01",
        VM.removeprefix("/"),
        "/subscriptions",
        "/subscriptions/",
        f"/subscriptions/{SUB}/resourceGroups",
        f"/subscriptions/{SUB}/virtualMachines/web-01",
        f"/subscriptions//{SUB}",
        "/providers/Microsoft.Management/managementGroups/corp",
        f"{VM}?api-version=1",
        f"{VM}#x",
        f"{VM}\n/runCommands/x",
        "https://management.azure.com" + VM,
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidResourceId):
        ResourceId.parse(text)


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_is_refused(text: str) -> None:
    try:
        assert ResourceId.parse(text).key.startswith("/subscriptions/")
    except InvalidResourceId as error:
        assert len(str(error)) < 300  # noqa: PT017 - either way is right


def test_the_two_byte_orders_of_a_vm_id_are_one_id() -> None:
    """The example of Azure's documentation."""
    one, other = "625686a0-6d08-4810-aae9-a089e68d4911", "a0865662-086d-1048-aae9-a089e68d4911"

    assert vm_ids(one) == vm_ids(other) == {one, other}
    assert vm_ids(one.upper()) == vm_ids(one)


@given(st.uuids(), st.uuids())
def test_two_vms_share_a_spelling_only_where_they_are_one(one: uuid.UUID, other: uuid.UUID) -> None:
    same = other in {one, uuid.UUID(bytes=one.bytes_le)}

    assert bool(vm_ids(str(one)) & vm_ids(str(other))) is same
    assert len(vm_ids(str(one))) <= 2


@pytest.mark.parametrize("text", ["", "not a guid", "None", SUB[:-1]])
def test_what_is_no_guid_has_no_spelling(text: str) -> None:
    assert vm_ids(text) == frozenset()
