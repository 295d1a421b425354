"""`make scan`: checkov's judgement of every resource of `infra/`.

Checkov's own parser of Bicep knows no imports and no user-defined types, and passes over a file that has any. So it is
given each template without them: parameters with plain types, the variables and the resources as they are written. A
file that it still cannot read is an error here, never a pass.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT: Final = Path(__file__).parents[1]
INFRA: Final = ROOT / "infra"
PLAIN: Final = ROOT / "build" / "scan"
CHECKOV: Final = ROOT / ".venv" / "scan" / "bin" / "checkov"
_PARSER: Final = Parser(Language(tree_sitter_bicep.language()))
_NEWER: Final = frozenset({b"cidrSubnet", b"map"})
_PRIMITIVE: Final = re.compile(r"(string|int|bool|object|array)\??")


def main() -> int:
    shutil.rmtree(PLAIN, ignore_errors=True)
    templates = sorted(path for path in INFRA.rglob("*.bicep") if b"\nresource " in path.read_bytes())
    for path in templates:
        target = PLAIN / path.relative_to(INFRA)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(plain(path.read_text("utf-8")), encoding="utf-8")
    command: list[str | Path] = [CHECKOV, "--directory", PLAIN, "--config-file", INFRA / ".checkov.yaml"]
    command += ["--output", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        return 1
    results, summary = report.get("results", {}), report.get("summary", report)
    unread = results.get("parsing_errors", [])
    for one in unread:
        print(f"scan: checkov cannot read {one}")
    for one in results.get("failed_checks", []):
        print(f"{one['file_path'].lstrip('/')}: {one['resource']}: {one['check_id']} {one['check_name']}")
    print(f"scan: {summary.get('passed', 0)} passed, {summary.get('failed', 0)} failed, {len(templates)} templates")
    return 1 if unread or summary.get("failed") or not summary.get("passed") else 0


def plain(template: str) -> str:
    """The same parameters, variables and resources in the older words of the language."""
    code = template.encode()
    kept = []
    for node in _PARSER.parse(code).root_node.children:
        match node.type:
            case "parameter_declaration":
                kept.append(_parameter(node))
            case "variable_declaration" | "resource_declaration":
                kept.append(_older(node))
            case _:
                pass
    return "\n\n".join(kept) + "\n"


def _older(node: Node) -> str:
    """A declaration without safe access and conditions, and with a text where a newer function was."""
    if node.type == "if_statement":
        return _older(node.children[-1])
    if node.type == "call_expression" and node.children[0].text in _NEWER:
        return "'computed'"
    if not node.children:
        return (node.text or b"").decode().replace(".?", ".")
    written, at = "", node.start_byte
    whole = node.text or b""
    for child in node.children:
        # What stands between two parts: blanks and line ends.
        written += whole[at - node.start_byte : child.start_byte - node.start_byte].decode() + _older(child)
        at = child.end_byte
    return written + whole[at - node.start_byte :].decode()


def _parameter(node: Node) -> str:
    name = next((child.text or b"").decode() for child in node.children if child.type == "identifier")
    type_ = next((child.text or b"").decode() for child in node.children if child.type == "type")
    found = _PRIMITIVE.fullmatch(type_)
    return f"param {name} {found[1] if found else 'array' if type_.endswith('[]') else 'object'}"


if __name__ == "__main__":
    raise SystemExit(main())
