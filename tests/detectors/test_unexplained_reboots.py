"""When a restart after a run counts as one that the deployment forbade."""

from __future__ import annotations

import copy

import pytest

from detectors.unexplained_reboots import UnexplainedReboots
from model.documents import Document, at
from model.facts import Facts, Machine
from tests.builders import HOUR, NOW, a_body, a_machine, facts, update_deployment
from tests.detectors.answers import answer, unknown

WEB = a_machine("web-01")
BY_UPDATE = (
    r"The process C:\Windows\system32\MoUsoCoreWorker.exe (WEB-01) has initiated the restart of computer WEB-01 on "
    r"behalf of user NT AUTHORITY\SYSTEM for the following reason: Operating System: Service pack (Planned)"
)
BY_A_PERSON = (
    r"The process C:\Windows\Explorer.EXE (WEB-01) has initiated the restart of computer WEB-01 on behalf of user "
    r"CONTOSO\ops for the following reason: Other (Planned)"
)
IN_GERMAN = r'Der Prozess "C:\Windows\system32\svchost.exe (WEB-01)" hat den Neustart von Computer WEB-01 initiiert'


def body(name: str = "Weekly", reboot: str = "Never") -> Document:
    made = copy.deepcopy(a_body(name, machines=[WEB]))
    windows = at(made, "properties.updateConfiguration.windows")
    assert isinstance(windows, dict)
    windows["rebootSetting"] = reboot
    return made


def a_restart(
    machine: Machine = WEB, text: str = "", *, of: str = "weekly", started: float = 5, at: float = 3, event: int = 1074
) -> Document:
    """A row of `unexplained-reboots.kql`; times in hours before now."""
    return {
        "MachineId": machine.id,
        "VmId": machine.vm_id,
        "Computer": machine.name,
        "RunId": f"run of {of}",
        "Deployment": of,
        "Started": (NOW - started * HOUR).isoformat(),
        "At": (NOW - at * HOUR).isoformat(),
        "EventID": event,
        "Text": text,
    }


def world(*rows: Document, reboot: str = "Never", without: str = "", unreadable: dict[str, str] | None = None) -> Facts:
    return facts(
        machines=[WEB],
        bodies=[body(reboot=reboot), body("Other", "IfRequired")],
        rows={"unexplained-reboots": rows},
        without=[without] if without else [],
        unreadable=unreadable,
    )


CASES = [
    ("Windows Update restarted it", [a_restart(text=BY_UPDATE)], "Never", "found"),
    ("in any case of the word", [a_restart(text=BY_UPDATE)], "never", "found"),
    ("in a translated Windows", [a_restart(text=IN_GERMAN)], "Never", "found"),
    ("the deployment may restart it", [a_restart(text=BY_UPDATE)], "IfRequired", "nothing"),
    ("a person did", [a_restart(text=BY_A_PERSON)], "Never", "nothing"),
    ("the log does not say who", [a_restart(event=6005)], "Never", "unknown"),
    ("the log says both", [a_restart(event=6005), a_restart(text=BY_UPDATE, at=3.1)], "Never", "found"),
    # Of two runs before the restart the later one could have caused it.
    ("another run came between", [a_restart(text=BY_UPDATE), a_restart(text=BY_UPDATE, of="other", started=4)],
     "Never", "nothing"),
    ("another run came before", [a_restart(text=BY_UPDATE), a_restart(text=BY_UPDATE, of="other", started=9)],
     "Never", "found"),
    ("of a deployment that is gone", [a_restart(text=BY_UPDATE, of="deleted")], "Never", "nothing"),
    ("of a machine that is gone", [a_restart(a_machine("gone"), BY_UPDATE)], "Never", "nothing"),
    ("nobody restarted", [], "Never", "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "reboot", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_restart_that_windows_update_asked_for_is_found(rows: list[Document], reboot: str, said: str) -> None:
    assert answer(UnexplainedReboots().detect(world(*rows, reboot=reboot))) == said


def test_who_asked_for_a_restart_shows_inside_the_machine_only_where_the_log_is_silent() -> None:
    told = unknown(UnexplainedReboots().detect(world(a_restart(event=41))))

    assert told.keys() == {WEB.id}
    assert told[WEB.id].startswith("a diagnosis of the machine")


def test_the_deployment_s_own_document_has_the_reboot_option() -> None:
    read = world(a_restart(text=BY_UPDATE))

    assert UnexplainedReboots().suspects(read) == {update_deployment("Weekly").lower()}


def test_a_deployment_that_could_not_be_read_leaves_it_open() -> None:
    weekly = update_deployment("Weekly").lower()
    read = world(a_restart(text=BY_UPDATE), without=weekly, unreadable={weekly: "429"})

    assert unknown(UnexplainedReboots().detect(read)) == {WEB.id: "429"}


@pytest.mark.parametrize("missing", ["unexplained-reboots", "machines", "deployments"])
def test_what_could_not_be_read_is_unknown(missing: str) -> None:
    """A workspace that never collected the System log has no table of events."""
    assert unknown(UnexplainedReboots().detect(world(unreadable={missing: "no table"}))) == {"": "no table"}
