"""One small estate for each failure state: what happened in it. What a sweep says of it is in the file beside this one.

The estates are facts as they were read; how Azure answers to have them read so is the simulator's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from model.documents import Document, at
from model.facts import Facts, JobOutput, Machine, PowerState, ResourceChange, Subscription, run_commands_of
from model.states import FailureState
from tests.builders import (
    DAY,
    ELSEWHERE,
    HOUR,
    MINUTE,
    NOW,
    SUBSCRIPTION,
    a_beat,
    a_body,
    a_complaint,
    a_job,
    a_machine,
    a_machine_run,
    a_registration,
    a_run,
    a_saved_search,
    a_silence,
    a_system_group,
    a_workspace,
    an_agent,
    an_identity,
    an_instance_view,
    facts,
    guid,
    its_workers,
    vm,
)

type Estate = Callable[[], Facts]

WEB, APP, SQL = a_machine("web-01"), a_machine("app-01", group="rg-app"), a_machine("sql-01", group="rg-data")
API, DB = a_machine("api-01", group="rg-app", os="Linux"), a_machine("db-01", group="rg-data", os="Linux")
EVERYBODY: Final = (WEB, APP, SQL, API, DB)
THEN: Final = NOW - 4 * DAY
"""When the newest run of the deployment Weekly began."""
WSUS: Final = "http://wsus-01.contoso.com:8530"
COLLECTED: Final[tuple[Document, ...]] = (
    {"EventLog": "Operations Manager", "Newest": "2026-03-10T05:00:00Z"},
    {"EventLog": "Microsoft-SMA/Operational", "Newest": "2026-03-10T05:00:00Z"},
)
ESTATES: Final[dict[FailureState, Estate]] = {}
INSIDE: Final[dict[FailureState, dict[str, str]]] = {
    FailureState.KB2267602_MISSING: {"sig": "F:9d"},
    FailureState.SELFSIGNED_CERT_FAILURE: {"rsa": "F:missing"},
    FailureState.UPDATES_WITHOUT_DEPLOYMENT: {"auo": "W:4"},
}
"""By state, what rules of the diagnosis say in machines that are looked into, by their code; no update is installed
there, and every other rule is passed."""


def shows(state: FailureState) -> Callable[[Estate], Estate]:
    def told(estate: Estate) -> Estate:
        ESTATES[state] = estate
        return estate

    return told


def views() -> list[Document]:
    """Every machine runs, and its guest agent is ready."""
    return [document for machine in EVERYBODY for document in ready(machine)]


def ready(machine: Machine) -> tuple[Document, Document]:
    """A machine that takes scripts: its guest agent is ready, and no run command is under way."""
    return an_instance_view(machine), {"id": run_commands_of(machine.id), "value": []}


# The subscription, the account and the workspace


@shows(FailureState.AUTOMATION_RP_NOT_REGISTERED)
def a_partner_s_subscription_was_never_prepared() -> Facts:
    """A dynamic query looks for machines in a second subscription, in which nobody has registered Automation."""
    return facts(
        bodies=[a_body("Monthly-Partner", machines=[WEB], scopes=[f"/subscriptions/{ELSEWHERE}/resourceGroups/rg-x"])],
        registrations=[a_registration(), a_registration(ELSEWHERE, "NotRegistered")],
    )


@shows(FailureState.CROSS_TENANT_LINKED_SUBSCRIPTION)
def a_machine_of_another_company_is_named() -> Facts:
    """A deployment names a machine of the sister company, whose subscription belongs to a tenant of its own."""
    theirs = vm("erp-01", group="rg-erp", subscription=ELSEWHERE)
    return facts(
        bodies=[a_body(machines=[WEB, theirs])],
        seen_subscriptions=[
            Subscription(id=SUBSCRIPTION, name="contoso-prod", tenant=guid("contoso")),
            Subscription(id=ELSEWHERE, name="fabrikam-prod", tenant=guid("fabrikam")),
        ],
    )


@shows(FailureState.WORKSPACE_OVER_QUOTA)
def the_cap_was_reached_at_noon() -> Facts:
    """The workspace stops to take data in at one gigabyte a day."""
    return facts(
        machines=EVERYBODY,
        workspace=a_workspace(ingestion="overquota", quota=1.0),
        rows={"ingestion-status": [{"TimeGenerated": "2026-03-10T03:00:00Z", "Detail": OVER_QUOTA}]},
    )


OVER_QUOTA: Final = "Data collection stopped due to daily limit of free data reached. Ingestion status = OverQuota"


@shows(FailureState.WORKSPACE_NOT_LINKED)
def somebody_took_the_link_away() -> Facts:
    return facts(machines=EVERYBODY, workspace=a_workspace(account_links_to=""))


@shows(FailureState.UPDATES_SOLUTION_MISSING)
def somebody_removed_the_solution() -> Facts:
    return facts(machines=EVERYBODY, workspace=a_workspace(solution=False, pack=False))


@shows(FailureState.FAILED_TO_ENABLE_UPDATE_SOLUTION)
def the_solution_could_not_be_switched_on() -> Facts:
    detail = "Error details: Failed to enable the Update solution"
    said: Document = {
        "Detail": detail, "Computers": ["web-01.contoso.com"], "First": "2026-03-10T02:00:00Z",
        "Last": "2026-03-10T05:00:00Z",
    }  # fmt: skip
    return facts(machines=EVERYBODY, rows={"operation-complaints": [said], "agent-log-collected": COLLECTED})


@shows(FailureState.JOB_LIMIT_REACHED)
def everything_is_scheduled_for_nine_o_clock() -> Facts:
    """Fifty jobs were under way when Weekly began, and two of its machines did not start."""
    groups = [a_system_group(machine.name, guid(f"agent of {machine.name}")) for machine in (WEB, APP)]
    parts = [
        a_machine_run(machine, source=guid(f"agent of {machine.name}"), start=THEN, error="Job was suspended")
        for machine in (WEB, APP)
    ]
    busy = [a_job(guid(f"job {n}"), THEN - 10 * MINUTE, THEN + HOUR) for n in range(50)]
    return facts(
        machines=EVERYBODY,
        bodies=[a_body(machines=[WEB, APP, SQL])],
        runs=[a_run(status="Failed", start=THEN)],
        machine_runs=parts,
        system_groups=groups,
        jobs={"run-1": busy},
        views=[*views(), *(its_workers(group, NOW - MINUTE) for group in groups)],
    )


# Machines that are not in the portal


def portal(**rows: Sequence[Document]) -> Facts:
    """The workspace is well."""
    given: dict[str, Sequence[Document]] = {key.replace("_", "-"): value for key, value in rows.items()}
    return facts(machines=EVERYBODY, workspace=a_workspace(), rows={"ingestion-status": (), **given}, views=views())


@shows(FailureState.NO_HEARTBEAT)
def its_agent_stopped_in_the_night() -> Facts:
    return portal(no_heartbeat=[
        {"MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01.contoso.com", "OSType": "Windows",
         "SourceComputerId": guid("agent of web-01"), "LastBeat": "2026-03-10T01:14:00Z", "NewerBeat": None}
    ])  # fmt: skip


@shows(FailureState.NOT_ASSESSED)
def it_beats_and_says_nothing_of_updates() -> Facts:
    return portal(not_assessed=[
        {"MachineId": API.id, "VmId": API.vm_id, "Computer": "api-01", "OSType": "Linux",
         "SourceComputerId": guid("agent of api-01"), "First": "2026-02-08T06:00:00Z",
         "LastBeat": "2026-03-10T05:59:00Z"}
    ])  # fmt: skip


@shows(FailureState.WRONG_WORKSPACE)
def its_agent_was_installed_by_another_team() -> Facts:
    return facts(
        machines=EVERYBODY,
        workspace=a_workspace(),
        agents=[an_agent(APP, guid("workspace of the security team"))],
        rows={"ingestion-status": ()},
        views=views(),
    )


@shows(FailureState.SCOPE_EXCLUDED)
def it_was_added_after_the_scope_was_drawn() -> Facts:
    query = f'Heartbeat | where Computer in~ ("") or VMUUID in~ ("{SQL.vm_id}") | distinct Computer'
    outside: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01.contoso.com", "OSType": "Windows",
        "SourceComputerId": guid("agent of web-01"), "Solutions": '"security"', "First": "2026-02-08T06:00:00Z",
        "LastBeat": "2026-03-10T05:59:00Z",
    }  # fmt: skip
    return facts(
        machines=EVERYBODY,
        workspace=a_workspace(),
        searches=[a_saved_search(query)],
        rows={"scope-excluded": [outside], "ingestion-status": ()},
        views=views(),
    )


@shows(FailureState.CLONED_MACHINE)
def two_machines_were_made_from_one_image() -> Facts:
    one, two = a_machine("farm-01", group="rg-farm"), a_machine("farm-02", group="rg-farm")
    copied = guid("agent of the image")
    query = f'Heartbeat | where Computer in~ ("") or VMUUID in~ ("{one.vm_id}", "{WEB.vm_id}") | distinct Computer'
    return facts(
        machines=[*EVERYBODY, one, two],
        searches=[a_saved_search(query)],
        rows={"cloned-machine": [a_beat(one, copied), a_beat(two, copied, ago=3 * MINUTE)]},
        views=[*ready(one), *ready(two)],
    )


@shows(FailureState.DUPLICATE_COMPUTER_NAME)
def two_teams_call_their_print_server_the_same() -> Facts:
    twins = [a_machine("print-01", group=group) for group in ("rg-blue", "rg-green")]
    beats: list[Document] = [
        {"MachineId": one.id, "Name": "print-01.contoso.com", "SourceComputerId": guid(one.id), "VmId": one.vm_id,
         "Computer": "print-01.contoso.com", "LastBeat": "2026-03-10T05:59:00Z"}
        for one in twins
    ]  # fmt: skip
    return facts(machines=[*EVERYBODY, *twins], rows={"duplicate-computer-name": beats})


@shows(FailureState.REGISTRATION_BLOCKED)
def its_worker_never_registered() -> Facts:
    row: Document = {
        "MachineId": WEB.id, "SourceComputerId": guid("agent of web-01"), "Computer": "web-01.contoso.com",
        "OSType": "Windows", "VmId": WEB.vm_id, "First": "2026-03-10T02:50:00Z", "LastBeat": "2026-03-10T05:59:00Z",
    }  # fmt: skip
    return facts(machines=EVERYBODY, rows={"registration-blocked": [row]}, views=views())


@shows(FailureState.CLOCK_SKEW)
def its_clock_is_three_hours_ahead() -> Facts:
    row: Document = {
        "MachineId": APP.id, "Computer": "app-01.contoso.com", "OSType": "Windows", "VmId": APP.vm_id,
        "SourceComputerId": guid("agent of app-01"), "Stamped": "2026-03-10T09:00:00Z",
    }  # fmt: skip
    return facts(machines=EVERYBODY, rows={"clock-skew": [row]}, views=views())


# What agents say


def said(text: str, event: int = 4502) -> Facts:
    """What the agent of web-01 wrote into its log since three hours."""
    wrapped = f"A module of type Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent: {text}"
    row = a_complaint(WEB, text if event == 15011 else wrapped, lasting=3 * HOUR, times=36, event=event)
    return facts(machines=EVERYBODY, rows={"agent-complaints": [row], "agent-log-collected": COLLECTED}, views=views())


@shows(FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT)
def it_came_from_another_team() -> Facts:
    return said('{"Message":"Machine is already registered to a different account."}')


@shows(FailureState.MACHINE_CANNOT_COMMUNICATE)
def it_does_not_speak_tls_1_2() -> Facts:
    return said("The client and server can't communicate, because they do not possess a common algorithm")


@shows(FailureState.SELFSIGNED_CERT_FAILURE)
def somebody_hardened_the_key_folder() -> Facts:
    return said(
        "CertificateCreationException: Failed to create a self-signed certificate. ---> "
        "System.UnauthorizedAccessException: Access is denied."
    )


@shows(FailureState.WORKER_REGISTRATION_FORBIDDEN)
def its_registration_is_forbidden() -> Facts:
    return said("Forbidden: You don't have permission to access / on this server")


@shows(FailureState.WORKER_SIGNALR_TIMEOUT)
def its_channel_for_jobs_times_out() -> Facts:
    return said("The SignalR connection timed out", event=15011)


@shows(FailureState.HYBRID_AGENT_EVENT_4502)
def its_agent_says_what_nobody_knows() -> Facts:
    return said("Object reference not set to an instance of an object.")


# Machines on which a deployment did not start


NO_SUCH_GROUP: Final = (
    "Failed to start the runbook. Check the parameters passed. RunbookName Patch-MicrosoftOMSComputer. Exception You "
    "have requested to create a runbook job on a hybrid worker group that does not exist."
)
CALLED: Final = guid("agent of sql-01")
GROUP: Final = a_system_group("sql-01.contoso.com", CALLED)


def not_started(
    *machines: Machine,
    seen: datetime | None = None,
    next_run: datetime = NOW + 3 * DAY,
    **rows: Sequence[Document],
) -> Facts:
    """Weekly, of four days ago, failed to start on sql-01."""
    worker = [its_workers(GROUP, seen)] if seen else []
    return facts(
        machines=[WEB, *machines],
        bodies=[a_body(machines=[WEB, SQL], next_run=next_run)],
        runs=[a_run(status="Failed", start=THEN)],
        machine_runs=[a_machine_run(SQL, source=CALLED, start=THEN, error=NO_SUCH_GROUP)],
        jobs={"run-1": ()},
        system_groups=[GROUP] if seen else (),
        views=[*worker, *(document for machine in machines for document in ready(machine))],
        rows={key.replace("_", "-"): value for key, value in rows.items()},
    )


@shows(FailureState.VM_DELETED)
def it_was_deleted_and_the_deployment_was_not_told() -> Facts:
    return not_started(silent_machines=[a_silence(SQL, last=NOW - 5 * DAY)])


@shows(FailureState.VM_MOVED)
def it_was_moved_to_another_resource_group() -> Facts:
    there = a_machine("sql-01", group="rg-data-new", vm_id=SQL.vm_id)
    return not_started(there, silent_machines=[a_silence(SQL, last=NOW - 5 * DAY)])


@shows(FailureState.VM_STOPPED)
def it_was_off_when_its_run_came() -> Facts:
    """It carries the tag that lets it be started for its next run."""
    off = replace(SQL, power=PowerState.DEALLOCATED, tags={"patchwright-start": "true"})
    return not_started(off, seen=THEN - HOUR, next_run=NOW + 15 * HOUR)


@shows(FailureState.WORKER_UNREACHABLE)
def its_worker_does_not_answer() -> Facts:
    return not_started(SQL, seen=NOW - 90 * MINUTE)


@shows(FailureState.WORKER_GROUP_PURGED)
def it_was_away_for_forty_days() -> Facts:
    return not_started(SQL, silent_machines=[a_silence(SQL, last=NOW - 40 * DAY)])


@shows(FailureState.SOURCE_ID_CHANGED)
def its_agent_was_installed_anew() -> Facts:
    was, now = guid("agent of sql-01"), guid("new agent of sql-01")
    return not_started(
        SQL,
        source_id_changed=[
            an_identity(SQL, was, last=NOW - 5 * DAY),
            an_identity(SQL, now, first=NOW - 5 * DAY + HOUR, last=NOW - MINUTE),
        ],
    )


@shows(FailureState.WORKER_JOB_LIMIT_REACHED)
def its_worker_got_more_jobs_than_it_takes() -> Facts:
    return ended_with("Job was suspended as it exceeded the job limit for a Hybrid Worker")


@shows(FailureState.LINUX_WORKER_CONFLICT)
def an_earlier_worker_is_in_the_way() -> Facts:
    return ended_with("Unable to register, an existing worker was found", linux=True)


def ended_with(error: str, *, linux: bool = False) -> Facts:
    machine = API if linux else WEB
    return facts(
        machines=EVERYBODY,
        bodies=[a_body(machines=[machine, DB if linux else SQL])],
        runs=[a_run(status="Failed", start=THEN)],
        machine_runs=[a_machine_run(machine, status="Failed", start=THEN, error=error, os=machine.os)],
        views=views(),
    )


# Dynamic groups


PATCHED: Final = {"patch": "yes"}


def a_group(*, called: tuple[str, ...]) -> Facts:
    """Weekly is for all machines with the tag `patch`; the third was tagged and switched on at different times."""
    farm = [a_machine(f"web-0{n}", tags=PATCHED) for n in (1, 2, 3)]
    off = ResourceChange(
        at=THEN + 6 * HOUR,
        kind="update",
        before={"properties.extended.instanceView.powerState.code": "PowerState/deallocated"},
    )
    return facts(
        machines=farm,
        bodies=[a_body(scopes=[f"/subscriptions/{SUBSCRIPTION}"], tags={"patch": ["yes"]})],
        runs=[a_run(start=THEN, computers=len(called))],
        called={"run-1": [vm(name).lower() for name in called]},
        changes={farm[2].id: [off]},
        system_groups=[a_system_group(machine.name, guid(machine.name)) for machine in farm],
        registrations=[a_registration()],
        workspace=a_workspace(),
        rows={
            "group-agents": [
                {"MachineId": machine.id, "VmId": machine.vm_id, "SourceComputerId": guid(machine.name),
                 "LastBeat": "2026-03-10T05:59:00Z"}
                for machine in farm
            ]
        },
    )  # fmt: skip


@shows(FailureState.SCHEDULE_MISSED_MACHINES)
def one_of_its_machines_was_off() -> Facts:
    return a_group(called=("web-01", "web-02"))


@shows(FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW)
def one_of_its_machines_is_not_in_the_workspace() -> Facts:
    all_ = a_group(called=("web-01", "web-02"))
    return replace(all_, rows={**all_.rows, "group-agents": all_.rows["group-agents"][:2]})


# Windows machines and their updates


@shows(FailureState.MAINTENANCE_WINDOW_EXCEEDED)
def the_window_is_too_short() -> Facts:
    runs = [
        a_run(f"run-{n}", status=status, start=NOW - n * 7 * DAY + DAY, duration=2 * HOUR)
        for n, status in ((3, "Succeeded"), (2, "MaintenanceWindowExceeded"), (1, "MaintenanceWindowExceeded"))
    ]
    late = a_machine_run(
        SQL, run="run-1", status="MaintenanceWindowExceeded", source=guid("agent of sql-01"), start=NOW - 6 * DAY
    )
    return facts(machines=EVERYBODY, bodies=[a_body(machines=[WEB, SQL])], runs=runs, machine_runs=[late])


@shows(FailureState.UPDATE_AGENT_ERROR)
def its_update_store_is_damaged() -> Facts:
    row: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01.contoso.com", "Phase": "scan",
        "Text": "Exception from HRESULT: 0x80248007", "Deployment": "", "KBs": [], "Seen": "2026-03-10T05:00:00Z",
        "Source": "", "Clients": None,
    }  # fmt: skip
    return facts(machines=EVERYBODY, rows={"update-agent-error": [row]}, views=views())


@shows(FailureState.UPDATES_WITHOUT_DEPLOYMENT)
def it_installs_by_its_own_schedule() -> Facts:
    row: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01.contoso.com", "OsVersion": "10.0.17763",
        "Seen": "2026-03-10T05:00:00Z", "KBs": ["5034768", "5034439"], "First": "2026-03-09T03:00:00Z",
        "Deployments": ["weekly"],
    }  # fmt: skip
    return facts(
        machines=EVERYBODY,
        bodies=[a_body(machines=[WEB, SQL])],
        rows={"updates-without-deployment": [row]},
        views=views(),
    )


@shows(FailureState.UNEXPLAINED_REBOOTS)
def it_restarts_although_the_deployment_says_never() -> Facts:
    body = a_body(machines=[WEB, SQL])
    windows = at(body, "properties.updateConfiguration.windows")
    assert isinstance(windows, dict)
    windows["rebootSetting"] = "Never"
    text = (
        r"The process C:\Windows\system32\MoUsoCoreWorker.exe (WEB-01) has initiated the restart of computer WEB-01 on "
        r"behalf of user NT AUTHORITY\SYSTEM for the following reason: Operating System: Service pack (Planned)"
    )
    row: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01.contoso.com", "RunId": "run-1",
        "Deployment": "weekly", "Started": "2026-03-09T21:00:00Z", "At": "2026-03-10T00:12:00Z", "EventID": 1074,
        "Text": text,
    }  # fmt: skip
    return facts(machines=EVERYBODY, bodies=[body], rows={"unexplained-reboots": [row]}, views=views())


@shows(FailureState.MACHINES_DONT_INSTALL)
def it_fails_week_after_week_and_nothing_says_why() -> Facts:
    runs = [a_run(f"run-{n}", start=NOW - n * 7 * DAY + 3 * DAY, status="Failed") for n in (1, 2)]
    parts = [a_machine_run(WEB, run=run.id, status="Failed", start=run.start) for run in runs]
    row: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01", "Deployment": "weekly",
        "KBs": ["5034768", "5034122"], "Again": ["5034768"], "Seen": "2026-03-06T07:00:00Z",
    }  # fmt: skip
    return facts(
        machines=EVERYBODY,
        bodies=[a_body(machines=[WEB, SQL])],
        runs=runs,
        machine_runs=parts,
        rows={"machines-dont-install": [row]},
    )


@shows(FailureState.UPDATES_AVAILABLE_NOT_SHOWN)
def nobody_approves_updates_on_the_wsus_server() -> Facts:
    rows: list[Document] = [
        {"Source": WSUS, "KBID": kb, "Title": f"2026-0{month} Security Update (KB{kb})",
         "Published": f"2026-0{month}-13T18:00:00Z", "Machines": [WEB.id, SQL.id]}
        for kb, month in (("5034122", 1), ("5034768", 2))
    ]  # fmt: skip
    return facts(machines=EVERYBODY, rows={"updates-available-not-shown": rows})


def overtaken(state: str) -> Facts:
    rows: list[Document] = [
        {"MachineId": machine.id, "VmId": machine.vm_id, "Computer": machine.name, "State": state,
         "KBs": ["5034127"], "By": ["5034768"], "Source": WSUS}
        for machine in (WEB, SQL)
    ]  # fmt: skip
    return facts(machines=EVERYBODY, rows={"superseded-updates": rows}, views=views())


@shows(FailureState.SUPERSEDED_SHOWN_MISSING)
def the_wsus_server_still_offers_what_was_replaced() -> Facts:
    return overtaken("needed")


@shows(FailureState.INSTALLED_BUT_NOT_FOUND)
def the_portal_lists_what_the_machine_does_not() -> Facts:
    return overtaken("installed")


@shows(FailureState.KB2267602_MISSING)
def its_definitions_are_nine_days_old() -> Facts:
    row: Document = {
        "MachineId": WEB.id, "VmId": WEB.vm_id, "Computer": "web-01.contoso.com", "Published": "2026-03-01T06:00:00Z",
    }  # fmt: skip
    return facts(machines=EVERYBODY, rows={"defender-definitions": [row]}, views=views())


# Linux machines


@shows(FailureState.LINUX_RUN_FAILED)
def its_run_ended_in_the_middle_of_an_installation() -> Facts:
    part = a_machine_run(API, status="Failed", start=THEN, os="Linux", job="job-1")
    text = (
        "Reading package lists...\n"
        "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.\n"
    )
    return facts(
        machines=EVERYBODY,
        bodies=[a_body("Weekly-Linux", machines=[API, DB], classes="Critical, Security")],
        runs=[a_run(of="Weekly-Linux", status="Failed", start=THEN)],
        machine_runs=[replace(part, deployment="weekly-linux")],
        job_outputs={part.id: JobOutput(text=text)},
        views=views(),
    )


@shows(FailureState.LINUX_CLASSIFICATION_CAVEAT)
def centos_has_no_classifications() -> Facts:
    return facts(
        machines=EVERYBODY,
        bodies=[a_body("Weekly-Linux", machines=[API], classes="Critical, Security")],
        rows={"linux-distributions": [{"MachineId": API.id, "Computer": "api-01", "OSName": "CentOS"}]},
    )


@shows(FailureState.LINUX_PENDING_VS_INSTALLED_DIFFER)
def two_security_updates_outlive_the_run() -> Facts:
    row: Document = {
        "MachineId": API.id, "First": "2026-03-05T06:00:00Z", "Seen": "2026-03-10T05:00:00Z", "Packages": 2,
        "Package": "openssl", "OsName": "Ubuntu",
    }  # fmt: skip
    return facts(
        machines=EVERYBODY,
        bodies=[a_body("Weekly-Linux", machines=[API], classes="Critical, Security")],
        runs=[a_run(of="Weekly-Linux", start=THEN)],
        rows={"linux-pending-after-run": [row]},
    )
