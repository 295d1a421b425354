"""What is left behind: one JSON document on standard output, or a page in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cli.hands import Failed
from model.documents import Document


def print_json(document: Document) -> None:
    # ASCII, so that no terminal and no pipe stumbles over what somebody called a machine.
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


def write_page(file: Path, document: Document) -> None:
    """Raises `Failed` where the file cannot be written."""
    from cli.page import page  # noqa: PLC0415 - the template engine is only for those who want a page

    try:
        file.write_text(page(document), encoding="utf-8")
    except OSError as error:
        raise Failed(f"--html: {file} cannot be written: {error.strerror}") from error
