// Made from engine/settings.py by `make docs`.
metadata description = 'Every setting that can be chosen: a name that does not exist is refused before a deployment.'

@export()
@description('Settings that differ from their defaults.')
@sealed()
type Settings = {
  @description('a lock for the whole app; while it is set nothing can be applied, whoever asks.')
  DRY_RUN: ('true' | 'false')?

  @description('JSON object, failure state (or `*`) to `off`, `observe`, `ask` or `act`.')
  PATCHWRIGHT_MODES: string?

  @description('ids of remediations of the class `opt` that sweeps may apply of their own accord, where the mode is `act`; without it they wait for a person who applies the plan.')
  PATCHWRIGHT_OPT_IN: string?

  @description('NCRONTAB with seconds, UTC.')
  SWEEP_SCHEDULE: string?

  @description('a machine that carries this tag, or whose resource group or subscription does, with any value but `false`, is never touched.')
  PATCHWRIGHT_EXCLUDE_TAG: string?

  @description('the most that sweeps do of their own accord: `read-only`, `additive`, `reversible` or `disruptive`. More needs a person who applies the plan, or `PATCHWRIGHT_OPT_IN`.')
  PATCHWRIGHT_MAX_IMPACT: string?

  @description('most machines that one run may touch; a deployment counts as what it reaches.')
  PATCHWRIGHT_MAX_MACHINES: string?

  @description('the same as a share of the machines in scope, rounded down but never to none; the smaller of the two holds.')
  PATCHWRIGHT_MAX_PERCENT: string?

  @description('treatments go one first, then two, four and so on, and never more at a time.')
  PATCHWRIGHT_LARGEST_WAVE: string?

  @description('a run begins nothing more once as many of its treatments failed, or may still fail.')
  PATCHWRIGHT_ERROR_BUDGET: string?

  @description('ISO 8601; a remediation that was tried on a target is not tried there by another run for as long.')
  PATCHWRIGHT_COOL_DOWN: string?

  @description('how often a remediation is tried on a target before the next one takes its turn.')
  PATCHWRIGHT_ATTEMPTS: string?

  @description('ISO 8601; how long an attempt counts.')
  PATCHWRIGHT_ATTEMPTS_WITHIN: string?

  @description('ISO 8601; how long an attempt counts, and the next remediation takes its turn, where it was applied and its verification found that it did not help; and for as long again as that took.')
  PATCHWRIGHT_INEFFECTIVE_WITHIN: string?

  @description('who is told of what no remediation helps against, where no tag names an owner.')
  PATCHWRIGHT_OWNER: string?

  @description('a tag that names the owner of a machine, a resource group or a subscription.')
  PATCHWRIGHT_OWNER_TAG: string?

  @description('while more of the machines than this are unhealthy nothing is touched.')
  PATCHWRIGHT_STORM_PERCENT: string?

  @description('ISO 8601; how long after such a storm nothing is touched yet.')
  PATCHWRIGHT_STORM_COOL_DOWN: string?

  @description('when treatments may begin, such as `mon-fri 22:00-04:00 Europe/Amsterdam`, with semicolons between several; empty: always.')
  PATCHWRIGHT_CHANGE_WINDOWS: string?

  @description('when none may, such as `2026-12-18/2027-01-03 Europe/Amsterdam`, with semicolons between several; a day without a time is frozen to its end.')
  PATCHWRIGHT_FREEZES: string?

  @description('ISO 8601; nothing is begun on facts that are older.')
  PATCHWRIGHT_FACTS_MAX_AGE: string?

  @description('ISO 8601; where the newest heartbeat of all is older, no machine is treated for what the logs say.')
  PATCHWRIGHT_LOG_MAX_LAG: string?

  @description('ISO 8601; a treatment that waits for a person\'s approval is held after this.')
  PATCHWRIGHT_APPROVAL_EXPIRY: string?

  @description('no deployment is edited when its next run is nearer than this.')
  PATCHWRIGHT_NEXT_RUN_MARGIN: string?

  @description('no maintenance window is made longer; Azure\'s own maximum is PT6H.')
  PATCHWRIGHT_MAX_WINDOW: string?

  @description('how far back runs are read; a monthly deployment needs more than 31 days.')
  PATCHWRIGHT_LOOKBACK: string?

  @description('`suspects` sends a script that only looks into suspected machines, in dry runs, too.')
  PATCHWRIGHT_PROBE: ('never' | 'suspects')?

  @description('most machines that one run may look into.')
  PATCHWRIGHT_MAX_PROBES: string?

  @description('a stopped VM that carries this tag, with any value but `false`, may be started for its next run.')
  PATCHWRIGHT_START_TAG: string?

  @description('by how much a workspace\'s daily cap is raised at a time.')
  PATCHWRIGHT_QUOTA_STEP_GB: string?

  @description('no daily cap is raised above this; each gigabyte is paid for, day by day.')
  PATCHWRIGHT_QUOTA_CEILING_GB: string?

  @description('address of the WSUS server (`https://wsus.contoso.com:8531`) that clients outside of a domain should name; empty: none is ever set.')
  PATCHWRIGHT_WSUS_SERVER: string?

  @description('concurrent jobs of the account: 50 with an enterprise agreement or CSP, 10 pay-as-you-go, 5 free, 200 in government clouds.')
  PATCHWRIGHT_JOB_LIMIT: string?
}
