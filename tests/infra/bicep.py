"""The templates as a real grammar (tree-sitter-bicep) reads them, taken apart into what tests ask about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT: Final = Path(__file__).parents[2]
INFRA: Final = ROOT / "infra"
FILES: Final = tuple(sorted(INFRA.rglob("*.bicep")))

_PARSER: Final = Parser(Language(tree_sitter_bicep.language()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A parameter, an output, a resource or a module."""

    file: Path
    name: str
    node: Node
    decorators: frozenset[str]

    @property
    def where(self) -> str:
        return f"{self.file.relative_to(ROOT)}: {self.name}"

    @property
    def type(self) -> str:
        """Of a parameter or output, as it is written."""
        return next((text(child) for child in self.node.children if child.type == "type"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Declared):
    kind: str
    """`Microsoft.Web/sites/config`, also where it is nested in its parent."""
    version: str
    existing: bool
    body: Node | None

    def properties(self) -> Iterator[tuple[str, ...]]:
        """Paths of everything that the body sets, such as `('properties', 'siteConfig', 'ftpsState')`."""
        if self.body is not None:
            yield from _paths(self.body, ())

    def value(self, *path: str) -> str:
        """What is written at a path; empty where nothing is."""
        here: Node | None = self.body
        for name in path:
            here = dict(members(here)).get(name) if here is not None and here.type == "object" else None
        return text(here) if here is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One file."""

    path: Path
    root: Node
    parameters: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    modules: tuple[Declared, ...]
    variables: dict[str, Node] = field(default_factory=dict)

    @property
    def resources(self) -> tuple[Resource, ...]:
        return tuple(_resources(self.path, self.root, "", ""))


@cache
def template(path: Path) -> Template:
    root = _PARSER.parse(path.read_bytes()).root_node
    variables = {_name(node): node for node in root.children if node.type == "variable_declaration"}
    return Template(
        path=path,
        root=root,
        parameters=tuple(_declared(path, root, "parameter_declaration")),
        outputs=tuple(_declared(path, root, "output_declaration")),
        modules=tuple(_declared(path, root, "module_declaration")),
        variables=variables,
    )


def templates() -> tuple[Template, ...]:
    return tuple(map(template, FILES))


def text(node: Node) -> str:
    return (node.text or b"").decode()


def literal(node: Node) -> str:
    """A string without its quotes."""
    return text(node).strip("'")


def members(node: Node | None) -> Iterator[tuple[str, Node]]:
    """The properties of an object; what is nested in it as a resource is left out."""
    for child in node.children if node is not None else ():
        if child.type == "object_property" and child.children[0].type != "resource_declaration":
            yield literal(child.children[0]), child.children[-1]


def errors(node: Node) -> Iterator[str]:
    if node.type == "ERROR" or node.is_missing:
        yield f"line {node.start_point[0] + 1}: {text(node)[:60]!r}"
    for child in node.children:
        yield from errors(child)


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def body_of(node: Node) -> Node | None:
    """The object that a resource or module is given, inside of its condition or loop."""
    for child in reversed(node.children):
        if child.type == "object":
            return child
        if child.type in {"if_statement", "for_statement"}:
            return body_of(child)
    return None


def _declared(path: Path, root: Node, kind: str) -> Iterator[Declared]:
    for decorators, node in _decorated(root):
        if node.type == kind:
            yield Declared(file=path, name=_name(node), node=node, decorators=decorators)


def _decorated(root: Node) -> Iterator[tuple[frozenset[str], Node]]:
    decorators: frozenset[str] = frozenset()
    for node in root.children:
        if node.type == "decorators":
            names = (walked for one in node.children for walked in walk(one) if walked.type == "call_expression")
            decorators = frozenset(text(name.children[0]) for name in names)
        elif node.type != "comment":
            yield decorators, node
            decorators = frozenset()


def _resources(path: Path, node: Node, parent: str, version: str) -> Iterator[Resource]:
    for child in node.children:
        inner, inner_version = parent, version
        if child.type == "resource_declaration":
            declared = literal(next(part for part in child.children if part.type == "string"))
            kind, _, own = declared.partition("@")
            inner, inner_version = f"{parent}/{kind}" if parent else kind, own or version
            yield Resource(
                file=path,
                name=_name(child),
                node=child,
                decorators=frozenset(),
                kind=inner,
                version=inner_version,
                existing=any(part.type == "existing" for part in child.children),
                body=body_of(child),
            )
        yield from _resources(path, child, inner, inner_version)


def _paths(node: Node, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if node.type == "object":
        for name, value in members(node):
            yield (*before, name)
            yield from _paths(value, (*before, name))
    elif node.type == "array":
        for child in node.children:
            yield from _paths(child, before)
    elif node.type == "ternary_expression":
        for child in node.children[1:]:
            yield from _paths(child, before)


def _name(node: Node) -> str:
    return next((text(child) for child in node.children if child.type == "identifier"), "")
