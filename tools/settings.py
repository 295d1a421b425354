"""What can be set, read from `engine/settings.py` once for everything that is generated from it."""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, get_args, get_origin, get_type_hints

from engine.settings import Settings
from model.times import format_duration

ROOT: Final = Path(__file__).parents[1]
_NAMED: Final = re.compile(r"`(?P<name>[A-Z_]+)`: (?P<meaning>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    name: str
    """As an app setting: `PATCHWRIGHT_MAX_MACHINES`."""
    default: str | None
    """As text, empty for nothing; None where it has to be set."""
    choices: tuple[str, ...]
    """The only texts that it may be; empty for any."""
    meaning: str
    """One sentence or two, in Markdown."""


def described() -> tuple[Setting, ...]:
    """Every setting in the order of the model. Raises `ValueError` for a field whose docstring does not name it."""
    types = get_type_hints(Settings)
    docstrings = _docstrings()
    found = []
    for field in fields(Settings):
        named = _NAMED.fullmatch(docstrings.get(field.name, ""))
        if named is None:
            raise ValueError(f"engine/settings.py: {field.name} needs a docstring that begins with its name")
        given = field.default if field.default_factory is MISSING else ""
        default = None if given is MISSING else text_of(given)
        choices = _choices(types[field.name])
        found.append(Setting(name=named["name"], default=default, choices=choices, meaning=named["meaning"]))
    return tuple(found)


def text_of(value: object) -> str:
    """A value as it is written in an app setting."""
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            days = value // timedelta(days=1)
            return f"P{days}D" if days and value == timedelta(days=days) else format_duration(value)
        case float():
            return f"{value:g}"
        case tuple() | list() | set() | frozenset():
            return ",".join(str(item) for item in value)
        case _:
            return str(value)


def _choices(type_: object) -> tuple[str, ...]:
    if type_ is bool:
        return ("true", "false")
    return get_args(type_) if get_origin(type_) is Literal else ()


def _docstrings() -> dict[str, str]:
    tree = ast.parse((ROOT / "engine" / "settings.py").read_text("utf-8"))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    found = {}
    for field, after in itertools.pairwise(body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
