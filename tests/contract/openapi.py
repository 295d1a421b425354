"""Judges HTTP traffic by Microsoft's OpenAPI (Swagger 2.0) documents.

A literal reading of Swagger 2.0 rejects Microsoft's own examples, so some keywords are read as AutoRest and Azure's
services read them; each such rule is a function below and says why. What no document describes is not judged, and
`knows` says so.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jsonschema
import referencing
import referencing.jsonschema
from jsonschema import validators
from jsonschema.exceptions import ValidationError

from tests.support.parts import SHARED, shared

SPECS: Final = SHARED / "azure-specs"
BASE: Final = "https://azure-rest-api-specs.invalid/"
_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete", "head"})
_ERROR: Final = 400
_LIVE: Final = {
    "SoftwareUpdateConfigurationRuns_": frozenset({"type", "error"}),
    "SoftwareUpdateConfigurationMachineRuns_": frozenset({"type"}),
}
"""Properties that the live service was seen to answer and no document names, by the start of the operation's name."""

# A Swagger document is JSON of any depth; walking it is plain indexing.
type Node = dict[str, Any]
type Problems = Iterator[ValidationError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path of one document."""

    uri: str
    """Of the document, by its upstream path."""
    pointer: str
    """To the operation inside the document."""
    method: str
    template: str
    """Path with its parameters in braces, base path in front."""
    pattern: re.Pattern[str]
    version: str
    body: Node
    parameters: tuple[Node, ...] = field(default=())
    """Resolved; those of the whole path first."""

    @property
    def name(self) -> str:
        return str(self.body.get("operationId", self.template))

    def spelled_out(self) -> int:
        """How much of the path is literal: `/{resourceId}` matches everything and says nothing."""
        return len(re.sub(r"\{[^}]*\}", "", self.template))


class Judge:
    """Every document at hand, indexed by the requests that it describes."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
        self.folder, self.manifest = folder, manifest
        places = {each["source_path"]: each["path"] for each in manifest["files"] if each["kind"] == "spec"}
        documents = {
            BASE + source: json.loads((folder / path).read_text("utf-8"))
            for source, path in [*places.items(), *manifest["aliases"].items()]
        }
        specification = referencing.jsonschema.DRAFT4
        self.registry: referencing.Registry[Any] = referencing.Registry().with_resources(
            (uri, specification.create_resource(document)) for uri, document in documents.items()
        )
        self.operations = [
            operation
            for uri in (BASE + source for source in places)
            for operation in self._operations(uri, documents[uri])
        ]

    @classmethod
    @functools.cache
    def load(cls) -> Judge:
        """The judge over the documents beside this clone; skips the test where there are none."""
        return cls(shared("azure-specs/MANIFEST.json").parent)

    def knows(self, method: str, path: str) -> bool:
        """True where a document describes this request."""
        return self.operation(method, path) is not None

    def operation(self, method: str, path: str, *, within: str = "") -> Operation | None:
        """The operation that a request is: the one that spells out most of its path, in its own api-version where we
        hold that, else in the newest that we have. `within` is the URI of the one document to look in."""
        plain, query = _split(path)
        able = [
            each
            for each in self.operations
            if each.method == method.lower() and each.pattern.fullmatch(plain) and within in {"", each.uri}
        ]
        if not able:
            return None
        most = max(each.spelled_out() for each in able)
        asked = next((value for name, value in query if name.lower() == "api-version"), "")
        # A dated version before `v1`: the query API's newer text describes result rows better.
        return max(
            (each for each in able if each.spelled_out() == most),
            key=lambda each: (each.version == asked, each.version[:1].isdigit(), each.version),
        )

    def request(self, method: str, path: str, body: Any, *, within: str = "") -> list[str]:
        """What is wrong with a request: its path, its query and its body."""
        operation = self.operation(method, path, within=within)
        if operation is None:
            return [f"{method} {path}: no document describes this request"]
        problems = list(self._parameters(operation, path))
        takes = next((each for each in operation.parameters if each["in"] == "body"), None)
        if takes is None:
            problems += ["body: this operation takes none"] if body is not None else []
        elif body is None:
            problems += ["body: is missing"] if takes.get("required") else []
        else:
            problems += self._against(takes["schema"], takes["__at__"] + "/schema", body, _REQUEST)
        return problems

    def response(self, method: str, path: str, status: int, body: Any, *, within: str = "") -> list[str]:
        """What is wrong with an answer. `body` is the parsed JSON, a text where it is none, None where it is empty."""
        operation = self.operation(method, path, within=within)
        if operation is None:
            return [f"{method} {path}: no document describes this request"]
        known = operation.body["responses"]
        code = str(status) if str(status) in known else "default" if status >= _ERROR and "default" in known else ""
        if not code:
            # Documents without a `default` leave errors to Resource Manager's own form.
            return (
                self._plain_error(status, body) if status >= _ERROR else [f"status {status}: {operation.name} has none"]
            )
        at = f"{operation.uri}#{operation.pointer}/responses/{code}"
        described, at = self._resolved(known[code], operation.uri, at)
        schema = described.get("schema")
        if schema is None:
            return [] if body is None else [f"body: {operation.name} answers {status} without one"]
        if body is None:
            return ["body: is missing"]
        live = next((names for start, names in _LIVE.items() if operation.name.startswith(start)), frozenset())
        return self._against(schema, at + "/schema", body, _RESPONSE, live=live)

    def _plain_error(self, status: int, body: Any) -> list[str]:
        inner = body.get("error") if isinstance(body, dict) else None
        right = isinstance(inner, dict) and isinstance(inner.get("code"), str) and isinstance(inner.get("message"), str)
        return [] if right else [f"status {status}: the body is not an error of Resource Manager"]

    def _against(
        self, schema: Node, at: str, body: Any, reader: type[Any], *, live: frozenset[str] = frozenset()
    ) -> list[str]:
        validator = reader({"$ref": at}, registry=self.registry, format_checker=_FORMATS)
        problems = [f"{_path(error.absolute_path)}: {error.message}" for error in validator.iter_errors(body)]
        uri = at.split("#", 1)[0]
        resolver = self.registry.resolver(base_uri=uri)
        return problems + [
            f"{where}: nobody names this property"
            for where in _unnamed(body, schema, resolver, "")
            if where.rsplit(".", 1)[-1] not in live
        ]

    def _operations(self, uri: str, document: Node) -> Iterator[Operation]:
        base = str(document.get("basePath", "")).rstrip("/")
        for section in ("paths", "x-ms-paths"):
            for template, methods in document.get(section, {}).items():
                shared = self._declared(methods, uri, f"{uri}#/{section}/{_escaped(template)}")
                for method, body in methods.items():
                    if method not in _METHODS:
                        continue
                    pointer = f"/{section}/{_escaped(template)}/{method}"
                    own = self._declared(body, uri, f"{uri}#{pointer}")
                    whole = base + template.split("?", 1)[0]
                    yield Operation(
                        uri=uri,
                        pointer=pointer,
                        method=method,
                        template=whole,
                        pattern=_pattern(whole, [*shared, *own]),
                        version=str(document["info"]["version"]),
                        body=body,
                        parameters=(*shared, *own),
                    )

    def _declared(self, holder: Node, uri: str, at: str) -> list[Node]:
        found = []
        for place, parameter in enumerate(holder.get("parameters", [])):
            node, where = self._resolved(parameter, uri, f"{at}/parameters/{place}")
            found.append({**node, "__at__": where})
        return found

    def _resolved(self, node: Node, uri: str, at: str) -> tuple[Node, str]:
        """A node behind its reference, and its own address."""
        while "$ref" in node:
            at = urllib.parse.urljoin(uri, node["$ref"])
            uri = at.split("#", 1)[0]
            node = self.registry.resolver().lookup(at).contents
        return node, at

    def _parameters(self, operation: Operation, path: str) -> Iterator[str]:
        plain, query = _split(path)
        found = operation.pattern.fullmatch(plain)
        assert found is not None
        in_path = [each for each in operation.parameters if each["in"] == "path"]
        names = re.findall(r"\{([^}]*)\}", operation.template)
        for name, text in zip(names, found.groups(), strict=True):
            for parameter in (each for each in in_path if each["name"] == name):
                yield from _value(parameter, urllib.parse.unquote(text))
        in_query = {each["name"].lower(): each for each in operation.parameters if each["in"] == "query"}
        given = {name.lower() for name, _ in query}
        for name, text in query:
            if name.lower() not in in_query:
                yield f"?{name}: {operation.name} has no such parameter"
            elif name.lower() != "api-version":
                yield from _value(in_query[name.lower()], text)
        for name, parameter in in_query.items():
            if parameter.get("required") and name not in given:
                yield f"?{parameter['name']}: is missing"


def _split(path: str) -> tuple[str, list[tuple[str, str]]]:
    plain, _, query = path.partition("?")
    return plain, urllib.parse.parse_qsl(query, keep_blank_values=True)


def _escaped(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")


# What lies below a provider's `locations` is no resource: the operations that are under way there.
_RESOURCE_ID: Final = r"(subscriptions/[^/]+(?:/resourceGroups/[^/]+)?/providers/[^/]+(?!/locations/)(?:/[^/]+/[^/]+)+)"
_PARENT: Final = r"([^/]+/[^/]+(?:/[^/]+/[^/]+)*)"


def _pattern(template: str, parameters: list[Node]) -> re.Pattern[str]:
    """The paths of a template, in any case; a parameter that is sent as it is may hold slashes.

    Resource Manager's own templates for resources of every type stand for ids, whose types and names come in pairs,
    and not for any path.
    """
    whole = {each["name"] for each in parameters if each["in"] == "path" and each.get("x-ms-skip-url-encoding")}
    anything = _RESOURCE_ID if re.fullmatch(r"/\{[^}]*\}", template) else r"(.+?)"
    text = "".join(
        (_PARENT if part == "{parentResourcePath}" else anything if part[1:-1] in whole else r"([^/]+)")
        if part.startswith("{")
        else re.escape(part)
        for part in re.split(r"(\{[^}]*\})", template)
    )
    return re.compile(text, re.IGNORECASE)


def _path(parts: Any) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "body"


def _value(parameter: Node, text: str) -> Iterator[str]:
    """A path or query parameter, by its own keywords."""
    rule = {key: parameter[key] for key in ("type", "pattern", "enum", "x-ms-enum", "format", "minLength", "maxLength",
                                            "minimum", "maximum", "items") if key in parameter}  # fmt: skip
    value: Any = text
    match parameter.get("type"):
        case "integer" if re.fullmatch(r"-?\d+", text):
            value = int(text)
        case "boolean" if text.lower() in {"true", "false"}:
            value = text.lower() == "true"
        case "array":
            value = text.split(",")
    for error in _REQUEST(rule, format_checker=_FORMATS).iter_errors(value):
        yield f"{'?' if parameter['in'] == 'query' else ''}{parameter['name']}: {error.message}"


def _unnamed(value: Any, schema: Any, resolver: Any, where: str) -> Iterator[str]:
    """Properties that no schema names: how a server that invents fields is caught.

    A schema without any named property is free-form. Behind a `discriminator` stands a type that is not known here.
    """
    names, inner, is_open = _named(schema, resolver)
    match value:
        case dict() if names:
            for key, each in value.items():
                place = f"{where}.{key}".removeprefix(".")
                if key in names:
                    yield from _unnamed(each, *names[key], place)
                elif not is_open:
                    yield place
                elif inner is not None:
                    yield from _unnamed(each, *inner, place)
        case dict() if inner is not None:
            for key, each in value.items():
                yield from _unnamed(each, *inner, f"{where}.{key}".removeprefix("."))
        case list():
            items, there = _followed(schema, resolver)
            for index, each in enumerate(value):
                yield from _unnamed(each, items.get("items", {}), there, f"{where}[{index}]")


def _followed(schema: Any, resolver: Any) -> tuple[Node, Any]:
    node: Node = schema if isinstance(schema, dict) else {}
    while "$ref" in node:
        found = resolver.lookup(node["$ref"])
        node, resolver = found.contents, found.resolver
    return node, resolver


type _Place = tuple[Any, Any]


def _named(schema: Any, resolver: Any) -> tuple[dict[str, _Place], _Place | None, bool]:
    """The properties that a schema and all it is composed of name, the schema of the others, and whether others are
    allowed."""
    node, there = _followed(schema, resolver)
    names: dict[str, _Place] = {key: (each, there) for key, each in node.get("properties", {}).items()}
    more = node.get("additionalProperties")
    inner: _Place | None = (more, there) if isinstance(more, dict) else None
    is_open = bool(more) or isinstance(more, dict) or "discriminator" in node
    for part in node.get("allOf", []):
        others, other_inner, other_open = _named(part, there)
        names |= {key: each for key, each in others.items() if key not in names}
        inner, is_open = inner or other_inner, is_open or other_open
    return names, inner, is_open


# How Azure reads Swagger's keywords, where that is not JSON Schema's way.

_draft4: Final[Mapping[str, Callable[..., Problems]]] = jsonschema.Draft4Validator.VALIDATORS


def _type(validator: Any, wanted: Any, instance: Any, schema: Node) -> Problems:
    """`{"type": "object"}` and nothing else means anything: AutoRest reads result cells and free settings so."""
    anything = wanted == "object" and not schema.keys() & {"properties", "allOf", "additionalProperties", "required"}
    if not anything and wanted != "file":
        yield from _draft4["type"](validator, wanted, instance, schema)


def _properties(validator: Any, properties: Node, instance: Any, schema: Node) -> Problems:
    """Null for an optional property counts as absent: Azure sends explicit nulls. And what has properties is an object,
    said or not."""
    if not isinstance(instance, dict):
        if "type" not in schema:
            yield ValidationError(f"{instance!r:.80} is not an object")
        return
    needed = schema.get("required", [])
    for name, rule in properties.items():
        if name in instance and (instance[name] is not None or name in needed):
            yield from validator.descend(instance[name], rule, path=name, schema_path=name)


def _enum(validator: Any, allowed: list[Any], instance: Any, schema: Node) -> Problems:
    """An open enum takes any text; a closed one takes its words in any case, and several of them with commas between:
    .NET services read and write flags so."""
    if schema.get("x-ms-enum", {}).get("modelAsString"):
        return
    words = {str(word).lower() for word in allowed}
    said = [part.strip().lower() for part in instance.split(",")] if isinstance(instance, str) else [instance]
    if instance not in allowed and not all(part in words for part in said):
        yield ValidationError(f"{instance!r:.80} is not one of {', '.join(map(str, allowed))}")


def _required_in_request(validator: Any, needed: list[str], instance: Any, schema: Node) -> Problems:
    """What is read-only is filled in by the service, so a request need not have it."""
    if isinstance(instance, dict):
        properties = schema.get("properties", {})
        for name in needed:
            if name not in instance and not properties.get(name, {}).get("readOnly"):
                yield ValidationError(f"{name!r} is a required property")


_COMMON: Final = {"type": _type, "properties": _properties, "enum": _enum}
_extended: Final[Callable[..., type[Any]]] = validators.extend
_RESPONSE: Final = _extended(jsonschema.Draft4Validator, _COMMON)
_REQUEST: Final = _extended(jsonschema.Draft4Validator, {**_COMMON, "required": _required_in_request})

_FORMATS: Final = jsonschema.FormatChecker(formats=())
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
_DURATION: Final = re.compile(r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")


def _reads(name: str, check: Callable[[str], bool]) -> None:
    _FORMATS.checks(name)(lambda value: not isinstance(value, str) or check(value))


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return len(text) == len(str(uuid.UUID(int=0)))


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _is_whole(bits: int) -> Callable[[object], bool]:
    limit = 2 ** (bits - 1)
    return lambda value: not isinstance(value, int | float) or -limit <= value < limit


_reads("uuid", _is_uuid)
# Seven fractional digits are Azure's; an offset there must be, or nobody knows when.
_reads("date-time", lambda text: _DATE_TIME.fullmatch(text) is not None)
_reads("duration", lambda text: _DURATION.fullmatch(text) is not None)
_reads("byte", _is_base64)
_FORMATS.checks("int32")(_is_whole(32))
_FORMATS.checks("int64")(_is_whole(64))
