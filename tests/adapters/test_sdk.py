"""Operations of Azure's own clients: what is sent, how often, and what their answers and errors become."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from adapters.clients import Clients
from adapters.log_queries import answer_query
from adapters.sdk import Conflict, Hook, Rejected, Right, Sdk, asked, document, documents, named, proper, untyped
from engine.ports import AzureUnavailable, NotFound, PermissionMissing, WriteForbidden
from model.documents import Document
from model.facts import VIRTUAL_MACHINE_TYPE, Unreadable
from tests.adapters.stub import Answers, Asked, Said, Stub, answering, table

RIGHT = Right(action="Microsoft.Automation/automationAccounts/softwareUpdateConfigurations/write", scope="/sub/x")
BODY: Document = {
    "properties": {
        "updateConfiguration": {"operatingSystem": "Windows", "duration": "PT03H00M00S", "unheardOf": [1, {"a": None}]},
        "scheduleInfo": {"startTime": "2026-03-13T06:00:00.1234567+01:00", "frequency": "Fortnight", "interval": "2"},
        "alsoUnheardOf": {"x": "y"},
    },
    "tags": None,
}
"""A body with what no version of a model foresees."""


def an_sdk(azure: Stub, *, read_only: bool = False) -> Sdk:
    return Sdk(Clients(azure.url, read_only=read_only, back_off=0))


def saving(sdk: Sdk, body: Document = BODY) -> Callable[[Hook], object]:
    operations = sdk.automation("s").software_update_configurations
    return lambda seen: operations.create("g", "a", "n", untyped(body), raw_response_hook=seen)


def sending(sdk: Sdk) -> Callable[[Hook], object]:
    commands = sdk.compute("s").virtual_machine_run_commands
    return lambda seen: commands.begin_create_or_update(
        "g", "vm", "c", untyped({}), polling=False, raw_response_hook=seen
    )


def registering(sdk: Sdk) -> Callable[[Hook], object]:
    providers = sdk.resources("s").providers
    return lambda seen: providers.register("Microsoft.Automation", raw_response_hook=seen)


def searching(sdk: Sdk) -> Callable[[Hook], object]:
    searches = sdk.log_analytics("s").saved_searches
    return lambda seen: searches.create_or_update("g", "w", "a|b", untyped({"properties": {}}), raw_response_hook=seen)


def removing(sdk: Sdk) -> Callable[[Hook], object]:
    commands = sdk.hybrid_compute("s").machine_run_commands
    return lambda seen: commands.begin_delete("g", "m", "c", polling=False, raw_response_hook=seen)


WRITES: dict[str, Callable[[Sdk], Callable[[Hook], object]]] = {
    "automation": saving,
    "compute": sending,
    "resources": registering,
    "log analytics": searching,
    "hybrid compute": removing,
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


def test_a_body_goes_out_and_a_document_comes_back_as_they_are() -> None:
    """Whatever the SDK's models make of them: spellings, nulls, and fields that nobody has heard of."""
    with answering(lambda _: Said(body=BODY)) as azure:
        sdk = an_sdk(azure)
        assert asked(RIGHT, saving(sdk)).body == BODY
        operations = sdk.automation("s").software_update_configurations
        assert document(RIGHT, lambda seen: operations.get_by_name("g", "a", "n", raw_response_hook=seen)) == BODY
        put, get = azure.asked
        assert put.body == BODY
        assert (put.method, get.method) == ("PUT", "GET")
        assert put.path == get.path
        assert put.path.endswith("/providers/Microsoft.Automation/automationAccounts/a/softwareUpdateConfigurations/n")
        assert put.query == get.query == "api-version=2024-10-23"


def test_requests_of_the_services_clients_carry_our_marks_and_no_token() -> None:
    with answering(lambda _: Said(body={})) as azure:
        asked(RIGHT, saving(an_sdk(azure)))
        headers = azure.asked[0].headers
        assert headers["user-agent"] == "patchwright"
        assert len(headers["x-ms-client-request-id"]) == 36
        assert "authorization" not in headers


AZURES_WORDS = (
    "The client 'c' with object id 'o' does not have authorization to perform action "
    "'Microsoft.Compute/virtualMachines/write' over scope '/subscriptions/s/vm' or the scope is invalid."
)


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (301, Rejected),
        (304, Rejected),
        (307, Rejected),
        (400, Rejected),
        (401, PermissionMissing),
        (403, PermissionMissing),
        (404, NotFound),
        (405, Rejected),
        (408, AzureUnavailable),
        (409, Conflict),
        (412, Conflict),
        (413, Rejected),
        (429, AzureUnavailable),
        (500, AzureUnavailable),
        (502, AzureUnavailable),
        (503, AzureUnavailable),
        (504, AzureUnavailable),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "Because", "message": "of this"}},
        {"code": "Because", "message": "of this"},
        {"error": "of this"},
        ["of this"],
        b"<html>of this</html>",
        None,
    ],
    ids=["wrapped", "flat", "text", "list", "page", "empty"],
)
@every_write
def test_a_refusal_becomes_one_of_our_exceptions(
    write: Callable[[Sdk], Callable[[Hook], object]], status: int, raised: type[Exception], body: object
) -> None:
    """One request, whatever the answer; and what the SDK said stays reachable behind ours."""
    with answering(lambda _: Said(status=status, body=body, headers={"Retry-After": "7"})) as azure:
        with pytest.raises(raised) as caught:
            asked(RIGHT, write(an_sdk(azure)))
        assert len(azure.asked) == 1
    assert type(caught.value) is raised
    assert str(status) in str(caught.value)
    assert RIGHT.action in str(caught.value)
    assert isinstance(caught.value.__cause__, AzureError)
    if isinstance(caught.value, AzureUnavailable):
        assert caught.value.retry_after == timedelta(seconds=7)


def test_a_missing_right_is_named_with_its_scope() -> None:
    """Ours by default; the one that Azure names where it names one, which may be a right on another resource."""
    said = [Said(status=403, body={"error": {"code": "AuthorizationFailed", "message": "no"}})]
    said.append(Said(status=403, body={"error": {"code": "LinkedAuthorizationFailed", "message": AZURES_WORDS}}))
    with answering(lambda _: said.pop(0)) as azure:
        with pytest.raises(PermissionMissing, match=f"^{RIGHT.action} on {RIGHT.scope} is not granted: 403"):
            asked(RIGHT, saving(an_sdk(azure)))
        with pytest.raises(
            PermissionMissing, match=r"^Microsoft\.Compute/virtualMachines/write on /subscriptions/s/vm is not granted"
        ):
            asked(RIGHT, saving(an_sdk(azure)))


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@every_write
def test_done_is_done_also_in_a_way_that_the_client_does_not_know(
    write: Callable[[Sdk], Callable[[Hook], object]], status: int
) -> None:
    """Each client knows two or three statuses of success and raises over the others, after the write has happened."""
    headers = {"x-ms-request-id": "r-1"}
    with answering(lambda _: Said(status=status, body={"ok": True}, headers=headers)) as azure:
        answer = asked(RIGHT, write(an_sdk(azure)))
        assert (answer.status, answer.request_id) == (status, "r-1")
        assert answer.document == ({} if status == 204 else {"ok": True})
        assert len(azure.asked) == 1


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"1", b'{"properties": [1, "x"], "tags": 7}'])
@every_write
def test_an_answer_of_a_shape_that_no_model_has_is_an_answer(
    write: Callable[[Sdk], Callable[[Hook], object]], body: bytes
) -> None:
    """The write has happened; whoever wanted a document from it looks again."""
    with answering(lambda _: Said(body=body)) as azure:
        assert asked(RIGHT, write(an_sdk(azure))).status == 200
        assert len(azure.asked) == 1


@pytest.mark.parametrize("body", [b"{", b"<html>", b"\xff\xfe", b'{"a": 1}}'])
@every_write
def test_an_answer_that_is_not_json_tells_nothing(
    write: Callable[[Sdk], Callable[[Hook], object]], body: bytes
) -> None:
    with answering(lambda _: Said(body=body)) as azure:
        with pytest.raises(AzureUnavailable, match="not JSON"):
            asked(RIGHT, write(an_sdk(azure)))
        assert len(azure.asked) == 1


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"'])
def test_who_reads_a_document_takes_nothing_else_for_one(body: bytes) -> None:
    with answering(lambda _: Said(body=body)) as azure:
        providers = an_sdk(azure).resources("s").providers
        with pytest.raises(AzureUnavailable, match="without a JSON object"):
            document(RIGHT, lambda seen: providers.get("n", raw_response_hook=seen))


@every_write
def test_azure_cut_off_is_unavailable(write: Callable[[Sdk], Callable[[Hook], object]]) -> None:
    with answering(lambda _: Said()) as azure:
        sdk = an_sdk(azure)
    with pytest.raises(AzureUnavailable, match=r"ServiceRequestError|ServiceResponseError"):
        asked(RIGHT, write(sdk))


def test_a_long_operation_is_begun_and_not_waited_for() -> None:
    """The first answer is all: a function must not stand around for as long as a script runs."""
    with answering(lambda _: Said(status=201)) as azure:
        ways = dict.fromkeys(("Azure-AsyncOperation", "Location"), f"{azure.url}/operations/1")
    with answering(lambda _: Said(status=201, body={"properties": {}}, headers={**ways, "Retry-After": "1"})) as azure:
        sdk = an_sdk(azure)
        asked(RIGHT, sending(sdk))
        asked(RIGHT, removing(sdk))
        assert [request.method for request in azure.asked] == ["PUT", "DELETE"]


def test_a_missing_registration_is_not_mended_behind_our_back() -> None:
    """The clients' own pipelines would register the provider when Azure says that it is missing."""
    error = {"error": {"code": "MissingSubscriptionRegistration", "message": "not registered to use 'Microsoft.X'"}}
    with answering(lambda _: Said(status=409, body=error)) as azure:
        with pytest.raises(Conflict):
            asked(RIGHT, sending(an_sdk(azure)))
        assert [request.method for request in azure.asked] == ["PUT"]


@every_write
def test_clients_that_only_read_let_no_operation_write(write: Callable[[Sdk], Callable[[Hook], object]]) -> None:
    with answering(lambda _: Said(body={})) as azure:
        with pytest.raises(WriteForbidden):
            asked(RIGHT, write(an_sdk(azure, read_only=True)))
        assert azure.asked == []


def test_a_read_of_the_services_clients_is_repeated() -> None:
    said = [Said(status=503), Said(status=429, headers={"Retry-After": "0"}), Said(body={"a": 1})]
    with answering(lambda _: said.pop(0)) as azure:
        clients = Clients(azure.url, read_only=False, back_off=0)
        providers = Sdk(clients).resources("s").providers
        assert document(RIGHT, lambda seen: providers.get("n", raw_response_hook=seen)) == {"a": 1}
        assert (clients.requests.read, clients.requests.write) == (3, 0)


def listed(azure: Stub) -> list[Document]:
    commands = an_sdk(azure).compute("s").virtual_machine_run_commands
    return documents(
        RIGHT, lambda seen: commands.list_by_virtual_machine("g", "vm", expand="instanceView", raw_response_hook=seen)
    )


def test_a_list_is_read_to_its_end() -> None:
    def answers(request: Asked) -> Said:
        if "more" in request.query:
            return Said(body={"value": [{"name": "b", "odd": [1]}]})
        return Said(body={"value": [{"name": "a"}], "nextLink": f"http://{request.headers['host']}/next?more=1"})

    with answering(answers) as azure:
        assert listed(azure) == [{"name": "a"}, {"name": "b", "odd": [1]}]


def more(link: str) -> Answers:
    return lambda request: Said(body={"value": [], "nextLink": link.replace("HERE", request.headers["host"])})


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda _: Said(body={}), "without a list"),
        (lambda _: Said(body={"value": None}), "without a list"),
        (lambda _: Said(body={"value": {"a": 1}}), "without a list"),
        (lambda _: Said(body={"value": [1]}), "list of objects"),
        (lambda _: Said(body=[]), "without a list"),
        (more("http://HERE/again"), "do not end"),
        (more("http://127.0.0.2:9/elsewhere"), "leads away"),
        (more("https://HERE/elsewhere"), "leads away"),
        (more("http://HERE@example.com/"), "leads away"),
        (more("file:///etc/passwd"), "do not end"),
        (lambda _: Said(status=429), "429"),
    ],
)
def test_a_list_that_is_not_whole_is_none(answers: Answers, why: str) -> None:
    """The pager itself would take a page without a list for an empty one, and follow a link anywhere."""
    with answering(answers) as azure, pytest.raises(AzureUnavailable, match=why):
        listed(azure)


def test_a_second_page_that_fails_leaves_no_short_list() -> None:
    def answers(request: Asked) -> Said:
        link = f"http://{request.headers['host']}/next"
        return Said(status=403) if request.path == "/next" else Said(body={"value": [{}], "nextLink": link})

    with answering(answers) as azure, pytest.raises(PermissionMissing):
        listed(azure)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web-01",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d",
        "/subscriptions/s/resourceGroups/../providers/Microsoft.Compute/virtualMachines/v",
        "/subscriptions/../resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/..",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/.",
        "/subscriptions/s/providers/Microsoft.Compute/virtualMachines/v",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v/extensions/e",
    ],
)
def test_only_the_id_of_the_thing_itself_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="not "):
        named(text, VIRTUAL_MACHINE_TYPE)


def test_ids_and_names_as_azure_spells_them_are_taken() -> None:
    id_ = named(
        "/SUBSCRIPTIONS/s/resourcegroups/G/providers/microsoft.compute/VirtualMachines/a.b", VIRTUAL_MACHINE_TYPE
    )
    assert (id_.subscription, id_.resource_group, id_.name) == ("s", "G", "a.b")
    proper("s", "Microsoft.Automation", "updates|microsoftdefaultcomputergroup")
    with pytest.raises(ValueError, match="not a name"):
        proper("a/b")


def test_a_name_stays_one_name_in_the_path() -> None:
    """The default scope's saved search has a bar in its name; a hash or a question mark would end the path."""
    with answering(lambda _: Said(body={})) as azure:
        searches = an_sdk(azure).log_analytics("s").saved_searches
        name = "updates|a#b?c%2Fd e"
        document(RIGHT, lambda seen: searches.get("g", "w", name, raw_response_hook=seen))
        assert azure.asked[0].path.endswith(f"/savedSearches/{name}")


def test_a_client_is_built_once_for_each_subscription() -> None:
    built: list[str] = []

    class Counting(Clients):
        def service(self, client: Callable[..., Any], subscription: str) -> Any:
            built.append(f"{client.__name__} {subscription}")
            return super().service(client, subscription)

    sdk = Sdk(Counting("http://127.0.0.1:9", read_only=False))
    assert built == []
    assert sdk.compute("AB") is sdk.compute("ab")
    assert sdk.compute("ab") is not sdk.compute("cd")
    assert sdk.automation("ab") is sdk.automation("ab")
    assert built == ["ComputeManagementClient AB", "ComputeManagementClient cd", "AutomationClient ab"]


class TestOneQuery:
    @staticmethod
    def told(said: Said) -> Any:
        with answering(lambda _: said) as azure:
            found = answer_query(an_sdk(azure), "guid", "q", "Heartbeat")
            (request,) = azure.asked
            assert (request.method, request.path) == ("POST", "/v1/workspaces/guid/query")
            assert isinstance(request.body, dict)
            assert request.body["query"] == "Heartbeat"
            assert "wait=180" in request.headers["prefer"]
            return found

    def test_rows_come_by_the_names_of_their_columns(self) -> None:
        body = table({"A": "string", "T": "datetime"}, ["x", "2026-03-10T06:00:00Z"])
        assert self.told(Said(body=body)) == ({"A": "x", "T": "2026-03-10T06:00:00Z"},)

    @pytest.mark.parametrize("said", [Said(status=204), Said(body=b"")])
    def test_an_empty_workspace_has_no_answer(self, said: Said) -> None:
        """The query client raises a `JSONDecodeError` over it."""
        assert "workspace is empty" in self.told(said).what

    def test_a_part_of_a_result_is_none(self) -> None:
        body = table({"A": "string"}, ["x"]) | {"error": {"code": "PartialError", "message": "too much"}}
        assert self.told(Said(body=body)) == Unreadable(what="query q: only a part of the result came: too much")

    @pytest.mark.parametrize(
        "said",
        [
            Said(status=400, body={"error": {"code": "BadArgumentError", "message": "no"}}),
            Said(status=403, body={"error": {"code": "InsufficientAccessError", "message": "no"}}),
            Said(status=504, body=b"<html>", headers={"Retry-After": "3600"}),
            Said(body=b"{"),
            Said(body={"tables": []}),
            Said(body=[]),
            Said(body=table({"A": "string"}, ["x", "y"])),
        ],
    )
    def test_anything_else_is_unreadable(self, said: Said) -> None:
        assert isinstance(self.told(said), Unreadable)
