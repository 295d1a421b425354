"""`export`: the facts of the estate, as files."""

from __future__ import annotations

import os
import sys

from cli.arguments import ExportTo
from cli.estate import settings_from
from cli.hands import Failed, Hands
from cli.progress import ProgressLine
from cli.shown import plural
from engine.ports import AzureUnavailable, NotFound, PermissionMissing


def export(command: ExportTo, hands: Hands) -> int:
    """0 where the folder is complete; 1 where something could not be read, which is then named."""
    progress = ProgressLine()
    settings = settings_from(os.environ)
    try:
        written = hands.export(settings, command.folder, progress)
    except (AzureUnavailable, PermissionMissing, NotFound) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{command.folder} cannot be written: {error.strerror or error}") from error
    finally:
        progress.clear()
    documents, rows = plural(written.documents, "document"), plural(written.rows, "row")
    sys.stdout.write(f"{command.folder}: {documents} and {rows} of logs\n")
    if written.missing:
        raise Failed("the export is not complete; could not be read:\n" + "\n".join(f"  {w}" for w in written.missing))
    return 0
