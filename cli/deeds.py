"""What the steps of a plan do, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cli.shown import shown
from model.documents import ABSENT, Document, list_at, text_at
from model.resource_ids import InvalidResourceId, ResourceId


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step does, in words: before it is done, and after."""

    sign: Literal["~", ">", "+", "…"]
    title: str
    done: str


def deed_of(step: Document) -> Deed:
    """From a step of the run document."""
    path = text_at(step, "path")
    match text_at(step, "kind"):
        case "put-deployment":
            what = f"the deployment {name_of(path)}{_machines_in(step)}"
            return Deed("~", f"Save {what}", f"saved {what}")
        case "put-saved-search":
            what = f"the saved search {name_of(path)}"
            return Deed("~", f"Edit {what}", f"edited {what}")
        case "run-script":
            what = f"{shown(text_at(step, 'script'))} on {name_of(path.rpartition('/runCommands/')[0])}"
            return Deed(">", f"Run {what}", f"ran {what}")
        case "await-identity":
            machine, limit = name_of(text_at(step, "parameters.machine")), shown(text_at(step, "parameters.timeOut"))
            return Deed(
                "…",
                f"Wait up to {limit} until {machine} beats as another agent",
                "the agent beats under a new identity",
            )
        case "register-provider":
            what = shown(path.removesuffix("/register").rpartition("/")[2])
            return Deed("+", f"Register {what}", f"registered {what}")
        case "start-machine":
            machine = name_of(path.removesuffix("/start"))
            return Deed("+", f"Start {machine}", f"started {machine}")
        case "set-daily-quota":
            cap = next((shown(c.get("after")) for c in objects(step, "diff")), "")
            what = f"the daily cap of {name_of(path)} to {cap} GB"
            return Deed("~", f"Set {what}", f"set {what}")
        case kind:
            return Deed("~", shown(kind), shown(kind))


def _machines_in(step: Document) -> str:
    """` without app-02`, ` with app-02`: what a deployment's edit is about, where it is about one machine."""
    changes = [c for c in objects(step, "diff") if ".azureVirtualMachines[" in text_at(c, "field")]
    if len(changes) != 1:
        return ""
    (change,) = changes
    if change.get("after") == ABSENT:
        return f" without {name_of(str(change.get('before')))}"
    return f" with {name_of(str(change.get('after')))}" if change.get("before") == ABSENT else ""


def name_of(resource_id: str) -> str:
    """What a person calls the resource: the last name of its id."""
    try:
        return shown(ResourceId.parse(resource_id).name)
    except InvalidResourceId:
        return shown(resource_id.rstrip("/").rpartition("/")[2])


def objects(document: Document, path: str) -> list[Document]:
    """The objects in a list, without what is none."""
    return [item for item in list_at(document, path) if isinstance(item, dict)]
