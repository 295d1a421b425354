
// Everything shown came from outside: names, reasons and tags are whatever somebody typed into Azure. It gets into the page as
// text nodes only, and nothing here makes markup of text; the page's policy has the browser refuse that, too.

// The function key, once from the address and then in memory only: no storage, no history, no bookmark keeps it.
const address = new URL(location.href);
const key = address.searchParams.get("code") ?? "";
if (address.searchParams.has("code")) {
  address.searchParams.delete("code");
  history.replaceState(null, "", address.pathname + address.search + address.hash);
}

const LONGEST = 600;
const NEAR = 44; // characters of unchanged text left on each side of a change
const ABSENT = "(absent)";
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu;
const TONES = {
  remediated: "good", undone: "good", observed: "quiet", held: "careful", refused: "bad", declined: "careful",
  ineffective: "bad", failed: "bad", stale: "careful", allow: "good", hold: "careful", refuse: "bad",
  completed: "good", running: "careful", waiting: "careful", unreadable: "bad",
};
const VERDICTS = { allow: "allowed", hold: "held", refuse: "refused" };

// Text

/** Any text with every character visible: reversed writing and what nobody sees are shown as their numbers. */
function shown(value, longest = LONGEST) {
  const whole = typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
  const text = whole.length > longest ? `${whole.slice(0, longest - 1)}…` : whole;
  return text.replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function moment(value) {
  const at = new Date(value ?? NaN);
  if (Number.isNaN(at.valueOf())) return "at a time unknown";
  const options = { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const part = Object.fromEntries(new Intl.DateTimeFormat("en-GB", options).formatToParts(at).map((p) => [p.type, p.value]));
  return `${part.weekday} ${part.day} ${part.month} ${part.hour}:${part.minute}`;
}

const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
const lastOf = (path) => String(path ?? "").split("/").at(-1);
const tone = (word) => TONES[word] ?? "quiet";

// Elements

const isChild = (child) => child != null && child !== false;

/** An element; strings among the children become text nodes. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(attribute, value);
    else if (value === true) made.setAttribute(attribute, "");
    else if (value !== false && value != null) made.setAttribute(attribute, value);
  }
  made.append(...children.flat(Infinity).filter(isChild));
  return made;
}

const put = (id, ...children) => document.getElementById(id).replaceChildren(...children.flat(Infinity).filter(isChild));
/** The reader's place, where what had the focus is not there any more. */
const focusOn = (place) => document.getElementById(place)?.focus();
const soft = (...children) => el("p", { class: "soft" }, ...children);
const id = (text) => el("p", { class: "soft mono" }, shown(text));
const runLink = (run, text = run) => el("a", { href: `#run=${encodeURIComponent(run)}` }, shown(text));

function rows(pairs) {
  return el("dl", {}, pairs.filter(([, value]) => value).map(([name, value, class_]) => [el("dt", {}, name), el("dd", { class: class_ }, value)]));
}

// The API

class Refused extends Error {}

/** A call to the API beside this page. Throws `Refused` with a sentence for the reader. */
async function ask(path, body) {
  const headers = key ? { "x-functions-key": key } : {};
  const request = body ? { method: "POST", body: JSON.stringify(body), headers: { ...headers, "content-type": "application/json" } } : { headers };
  let answer;
  try {
    answer = await fetch(new URL(path, address.origin + address.pathname), { ...request, cache: "no-store", redirect: "error" });
  } catch {
    throw new Refused("The app does not answer.");
  }
  const said = await answer.json().catch(() => null);
  if (answer.ok || path === "health") return said ?? {};
  if (answer.status === 401 || answer.status === 403) {
    throw new Refused("The function key is missing or wrong. Open this page with ?code= and the key behind its address.");
  }
  throw new Refused(shown([said?.detail ?? `The app answered ${answer.status}.`, ...(said?.problems ?? [])].join(" · ")));
}

const turns = new Map();

/** Fill a part of the page; what goes wrong is said in its place. */
async function fill(place, make) {
  const turn = (turns.get(place) ?? 0) + 1;
  turns.set(place, turn);
  let made;
  try {
    made = await make();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    made = el("p", { class: "bad", role: "alert" }, error.message);
  }
  // An answer that comes after a later question is not shown.
  if (turns.get(place) === turn) put(place, made);
}

// Forms: what was typed outlives a refresh

const drafts = new Map();

/** A form with a reason that must be given; `send(button's value, reason, form)` answers what to say when it is done. */
function reasonForm({ draft, label, buttons, before = [], after = [], bare = false, send }) {
  const reason = el("input", {
    name: "reason", required: true, maxlength: 1000, autocomplete: "off", placeholder: "is recorded",
    input: () => drafts.set(draft, reason.value),
  });
  reason.value = drafts.get(draft) ?? "";
  const said = el("p", { class: "said bad", role: "alert" });
  return el("form", {
    class: bare ? "bare" : null,
    submit: async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      if (!reason.value.trim()) {
        said.replaceChildren("Say why; it is recorded.");
        reason.focus();
        return;
      }
      const all = form.querySelectorAll("button");
      for (const button of all) button.disabled = true;
      said.replaceChildren();
      // Before what is sent draws the form anew.
      drafts.delete(draft);
      try {
        await send(event.submitter?.value, reason.value.trim(), form);
      } catch (error) {
        drafts.set(draft, reason.value);
        if (!(error instanceof Refused)) throw error;
        said.replaceChildren(error.message);
      } finally {
        for (const button of all) button.disabled = false;
      }
    },
  }, before, el("label", { class: "wide" }, label, reason), after,
  buttons.map(([value, text, class_]) => el("button", { type: "submit", value, class: class_ }, text)), said);
}

// Plans

function stepTitle(step) {
  const name = lastOf(step.path);
  switch (step.kind) {
    case "put-deployment": return `Save the deployment ${name}`;
    case "put-saved-search": return `Edit the saved search ${name}`;
    case "run-script": return `Run ${step.script} on ${lastOf(String(step.path).split(/\/runCommands\//i)[0])}`;
    case "await-identity": return `Wait until ${lastOf(step.parameters?.machine)} beats as another agent`;
    case "register-provider": return `Register ${String(step.path).split("/").at(-2)}`;
    case "start-machine": return `Start ${String(step.path).split("/").at(-2)}`;
    case "set-daily-quota": return `Set the daily cap of ${name}`;
    default: return String(step.kind);
  }
}

/** Before and after; of two long texts only where they differ, with a little around it. */
function change({ field, before, after }) {
  const left = shown(before, Infinity), right = shown(after, Infinity);
  if (before === ABSENT) return el("li", {}, "+ ", shown(field), " ", el("ins", {}, right));
  if (after === ABSENT) return el("li", {}, "- ", shown(field), " ", el("del", {}, left));
  let start = 0, end = 0;
  const shorter = Math.min(left.length, right.length);
  if (shorter > LONGEST / 10) {
    while (start < shorter && left[start] === right[start]) start += 1;
    while (end < shorter - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  }
  const lead = left.slice(Math.max(0, start - NEAR), start), trail = left.slice(left.length - end, left.length - end + NEAR);
  return el("li", {}, "~ ", shown(field), " ", start > NEAR && "… ", lead, el("del", {}, left.slice(start, left.length - end)), " → ",
    el("ins", {}, right.slice(start, right.length - end)), trail, end > NEAR && " …");
}

function steps(plan) {
  return el("ol", {}, plan.steps.map((step) => el("li", {}, shown(stepTitle(step)),
    el("p", { class: "soft mono" }, shown(`${step.method ?? ""} ${step.path ?? ""}`.trim())),
    el("ul", { class: "diff mono" },
      Object.entries(step.parameters ?? {}).map(([name, value]) => el("li", {}, shown(`${name} = ${typeof value === "string" ? value : JSON.stringify(value)}`))),
      (step.diff ?? []).map(change)),
    step.undo && soft("undo: ", shown(step.undo)))));
}

function verdict(plan) {
  const { kind, guardrail, reason, until, also } = plan.verdict ?? {};
  const said = [VERDICTS[kind] ?? kind, guardrail && ` by ${guardrail}`, reason && `: ${reason}`, until && ` (until ${moment(until)} UTC)`];
  return [said.filter(Boolean).join(""), ...(also ?? [])].join("; ");
}

function planBody(plan) {
  return [
    el("p", {}, el("strong", {}, shown(plan.remediation)), " ", el("span", { class: "badge" }, shown(plan.impact))),
    el("p", {}, shown(plan.reason)),
    steps(plan),
    rows([["risk", shown(plan.risk)], ["verified", shown(plan.verify?.why)]]),
  ];
}

function findingHead(finding, badge) {
  return [
    el("h3", {}, shown(finding.targetName || lastOf(finding.target)), " ", badge && el("span", { class: "badge" }, shown(badge))),
    id(finding.target),
    el("p", {}, shown(finding.reason), finding.since && `, since ${moment(finding.since)} UTC`),
  ];
}

// What waits for an answer

function approvalCard(approval, run) {
  const plan = run.plans.find((one) => one.id === approval.plan);
  const finding = run.findings.find((one) => one.key === approval.finding);
  const about = finding ?? { state: "", targetName: approval.targetName, target: approval.finding, reason: "" };
  if (!plan || plan.hash !== approval.planHash) {
    return el("article", {}, findingHead(about, about.state), el("div", { class: "card bad" }, el("p", {}, "The plan of the record is not the one that was asked about. It cannot be answered here.")));
  }
  const card = el("div", { class: "card careful" }, planBody(plan),
    rows([["expires", `${moment(approval.expires)} UTC`], ["asked", `${moment(approval.asked)} UTC`], ["run", runLink(approval.run)], ["plan", el("span", { class: "mono" }, shown(plan.hash))]]));
  const form = reasonForm({
    draft: approval.id,
    label: "Why",
    buttons: [["approve", "Approve", "yes"], ["reject", "Reject", "stop"]],
    send: async (decision, reason) => {
      // The hash is of the plan that was on the screen: the app refuses an answer to any other.
      const said = await ask(`approvals/${encodeURIComponent(approval.id)}`, { decision, reason, plan: plan.hash });
      const told = el("p", { class: "answered", role: "status", tabindex: -1 },
        el("strong", { class: said.status === "approved" ? "good" : "careful" }, shown(said.status)), `: ${shown(said.reason)}`, said.by ? ` (${shown(said.by)})` : "", ". ", runLink(approval.run, "See the run"));
      form.replaceWith(told);
      told.focus();
      count(document.querySelectorAll("#approvals form").length);
      showSwitch();
      showRuns();
    },
  });
  card.append(form);
  return el("article", {}, findingHead(about, about.state), card);
}

const count = (waiting) => put("approvals-count", waiting ? String(waiting) : "");

function showApprovals() {
  return fill("approvals", async () => {
    const { approvals } = await ask("approvals");
    const runs = new Map();
    for (const { run } of approvals) if (!runs.has(run)) runs.set(run, ask(`runs/${encodeURIComponent(run)}`));
    count(approvals.length);
    if (!approvals.length) return soft("Nothing waits.");
    return Promise.all(approvals.map(async (approval) => {
      try {
        return approvalCard(approval, await runs.get(approval.run));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        return el("p", { class: "bad", role: "alert" }, `${shown(approval.targetName)}: ${error.message}`);
      }
    }));
  });
}

// The kill switch, and what it left

const scope = (state) => state || "the whole app";

function pauseItem(pause, queued) {
  const form = reasonForm({
    draft: `resume ${pause.state ?? ""}`,
    label: "Why go on",
    buttons: [["resume", "Resume", "yes"]],
    before: queued ? [el("label", { class: "tick" }, el("input", { type: "checkbox", name: "queued" }), "also go on with what is queued, each after a new look")] : [],
    send: async (_, reason, sent) => {
      const queuedToo = sent.elements.namedItem("queued")?.checked ?? false;
      await ask("resume", { ...(pause.state ? { state: pause.state } : {}), reason, queued: queuedToo });
      await Promise.all([showHealth(), showSwitch(), showRuns()]);
      focusOn("switch-title");
    },
  });
  return el("div", { class: "card bad" }, el("p", {}, el("strong", {}, `Paused: ${shown(scope(pause.state))}`), ` since ${moment(pause.since)} UTC`,
    pause.by ? ` by ${shown(pause.by)}` : "", pause.reason ? `: ${shown(pause.reason)}` : ""), form);
}

function workItem(work) {
  const owed = work.owed ?? [];
  return el("li", {}, el("strong", {}, shown(work.targetName)), ` ${shown(work.finding.split(":", 1)[0])}, `,
    work.stepsDone ? `${work.stepsDone} of ${plural(work.steps, "step")} done` : `not begun, ${plural(work.steps, "step")}`,
    owed.length > 0 && el("p", { class: "careful" }, `still to be put back: ${shown(owed.map(lastOf).join(", "))}`), el("p", { class: "soft" }, runLink(work.run)));
}

function goOn() {
  return reasonForm({
    draft: "go on", label: "Why go on with it", buttons: [["go", "Go on with what is queued", "yes"]], bare: true,
    send: async (_, reason) => {
      await ask("resume", { reason, queued: true });
      await Promise.all([showSwitch(), showRuns()]);
      focusOn("switch-title");
    },
  });
}

function pauseForm(states) {
  const select = el("select", { name: "state" }, el("option", { value: "" }, "the whole app"), states.map(({ id: state }) => el("option", { value: state }, shown(state))));
  return reasonForm({
    draft: "pause", label: "Why stop", buttons: [["pause", "Pause", "stop"]], bare: true,
    before: [el("label", {}, "What", select)],
    send: async (_, reason) => {
      await ask("pause", { ...(select.value ? { state: select.value } : {}), reason });
      await Promise.all([showHealth(), showSwitch()]);
      focusOn("switch-title");
    },
  });
}

let catalogue;

function showSwitch() {
  return fill("switch", async () => {
    catalogue ??= ask("states");
    const [standing, known] = await Promise.all([ask("pause"), catalogue.catch(() => { catalogue = undefined; return { states: [] }; })]);
    const { pauses, queued, inFlight } = standing;
    put("switch-count", [pauses.length && "paused", queued.length && `${queued.length} queued`].filter(Boolean).join(" · "));
    return [
      pauses.map((pause) => pauseItem(pause, queued.length > 0)),
      inFlight.length > 0 && [el("h3", {}, "In flight"), soft("Begun, and looked at to its end."), el("ul", {}, inFlight.map(workItem))],
      queued.length > 0 && [el("h3", {}, "Queued"), soft("Goes on only when a person says so."), el("ul", {}, queued.map(workItem)), pauses.length === 0 && goOn()],
      pauses.some((pause) => !pause.state) ? null : [soft("From the moment of a pause no step starts, in the whole app or for one failure state. Sweeps go on observing."), pauseForm(known.states)],
    ];
  });
}

// Health

function showHealth() {
  return fill("health", async () => {
    const health = await ask("health");
    if (health.status !== "ready") {
      return [el("p", { class: "bad" }, el("strong", {}, "Not ready")), (health.problems ?? []).map((problem) => el("p", { class: "bad" }, shown(problem)))];
    }
    const pauses = health.pauses ?? [];
    return [
      el("p", {}, el("strong", { class: "good" }, "Ready"), " · ",
        health.dryRun ? el("span", { class: "careful" }, "locked: DRY_RUN is set, nothing can be applied") : "unlocked: what is approved is applied"),
      pauses.length > 0 && el("p", { class: "bad" }, `Paused: ${shown(pauses.map((pause) => scope(pause.state)).join(", "))}`),
      soft(`as of ${new Date().toISOString().slice(11, 19)} UTC`),
    ];
  });
}

// Runs

function runRow(run) {
  const counts = run.counts ?? {};
  const told = [counts.findings != null && plural(counts.findings, "finding"), counts.plans && plural(counts.plans, "plan"),
    counts.outcomes && plural(counts.outcomes, "outcome"), counts.unknown && `${counts.unknown} unknown`];
  return el("tr", {}, el("td", { class: "id mono" }, runLink(run.id)), el("td", {}, run.started ? moment(run.started) : ""),
    el("td", {}, [run.undoes ? "undo" : run.mode, run.trigger && `by ${run.trigger}`].filter(Boolean).map((text) => shown(text)).join(", ")),
    el("td", { class: tone(run.status) }, shown(run.status), run.error ? `: ${shown(run.error, 120)}` : ""),
    el("td", {}, told.filter(Boolean).join(", ")));
}

function showRuns() {
  return fill("runs", async () => {
    const body = el("tbody");
    const more = el("button", { type: "button" }, "Older runs");
    let before = "";
    const page = async () => {
      const found = await ask(`runs?limit=10${before && `&before=${encodeURIComponent(before)}`}`);
      body.append(...found.runs.map(runRow));
      before = found.next ?? "";
      more.hidden = !before;
    };
    more.addEventListener("click", () => page().catch((error) => { more.replaceWith(el("p", { class: "bad", role: "alert" }, error.message)); }));
    await page();
    if (!body.children.length) return soft("No run yet. The first comes with the next sweep.");
    const head = ["run", "started", "what", "status", "found"].map((name) => el("th", { scope: "col" }, name));
    return [el("table", {}, el("thead", {}, el("tr", {}, head)), body), el("p", {}, more)];
  });
}

function findingItem(run, finding) {
  const plan = run.plans.find((one) => one.finding === finding.key);
  const advice = run.advice.find((one) => one.finding === finding.key);
  const outcome = run.outcomes.find((one) => one.finding === finding.key);
  const approval = (run.approvals ?? []).find((one) => one.finding === finding.key);
  const mark = outcome?.outcome ?? plan?.verdict?.kind;
  return el("article", {}, findingHead(finding),
    advice && el("div", { class: "card careful" }, el("p", {}, el("strong", { class: "careful" }, "Needs you: "), shown(advice.summary.replace(`${finding.targetName}: `, ""))),
      (advice.steps ?? []).length > 0 && el("ol", {}, advice.steps.map((step) => el("li", {}, shown(step))))),
    plan && el("div", { class: `card ${tone(mark)}` }, planBody(plan),
      rows([
        ["verdict", shown(verdict(plan), 2000), tone(plan.verdict?.kind)],
        ["approval", approval && `${shown(approval.status)}${approval.by ? ` by ${shown(approval.by)}` : ""}${approval.reason ? `: ${shown(approval.reason)}` : ""}`],
        ["plan", el("span", { class: "mono" }, shown(plan.hash))],
      ])),
    outcome && el("p", { class: tone(outcome.outcome) }, el("strong", {}, shown(outcome.outcome)), ` ${moment(outcome.at)} UTC`, outcome.reason ? `: ${shown(outcome.reason)}` : ""));
}

async function runPage(wanted) {
  const run = await ask(`runs/${encodeURIComponent(wanted)}`);
  const states = new Map();
  for (const finding of run.findings) states.set(finding.state, [...(states.get(finding.state) ?? []), finding]);
  const outcomes = new Map();
  for (const { outcome } of run.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const { machines = 0, requests = {}, partial = [] } = run.facts ?? {};
  const tally = [plural(run.findings.length, "finding"), ...[...outcomes].map(([word, count]) => `${count} ${shown(word)}`), `${run.unknown.length} unknown`];
  return [
    el("p", {}, el("a", { href: "#" }, "← All runs")),
    el("h2", { tabindex: "-1", id: "run-title" }, run.undoes ? `Undo of ${shown(run.undoes)}` : run.mode === "apply" ? "Apply" : "Dry run", el("span", { class: "mono" }, shown(run.id))),
    el("p", {}, el("strong", { class: tone(run.status) }, shown(run.status)), run.waitingFor ? ` for ${shown(run.waitingFor)}` : "", run.error ? `: ${shown(run.error)}` : "",
      ` · started ${moment(run.started)} UTC by ${shown(run.by || run.trigger)}`, run.finished ? `, finished ${moment(run.finished)} UTC` : ""),
    soft(`${plural(machines, "machine")} · ${requests.read ?? 0} reads · ${requests.write ?? 0} writes`),
    partial.map((what) => el("p", { class: "careful" }, `Could not be read: ${shown(what)}`)),
    el("p", {}, el("strong", {}, tally.join(", "))),
    [...states].map(([state, findings]) => el("section", {}, el("h2", {}, shown(state), el("span", {}, String(findings.length))), findings.map((finding) => findingItem(run, finding)))),
    run.unknown.length > 0 && el("section", {}, el("h2", {}, "unknown", el("span", {}, "neither found nor healthy")),
      run.unknown.map((gap) => el("p", {}, el("strong", {}, shown(gap.state)), " ", el("span", { class: "soft mono" }, shown(gap.target)), el("br"), `missing: ${shown(gap.missing)}`))),
  ];
}

// Which of the two is shown stands behind the address, so that the browser's back button works

async function show({ focus = false } = {}) {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("run");
  document.getElementById("home").hidden = Boolean(wanted);
  document.getElementById("run").hidden = !wanted;
  showHealth();
  if (wanted) {
    document.title = `Patchwright · ${shown(wanted)}`;
    put("run", soft("Reading the run…"));
    await fill("run", () => runPage(wanted));
    if (focus) focusOn("run-title");
    return;
  }
  document.title = "Patchwright";
  await Promise.all([showApprovals(), showSwitch(), showRuns()]);
}

addEventListener("hashchange", () => show({ focus: true }));
document.getElementById("refresh").addEventListener("click", () => show());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // what is shown stands where this would put its own name
  focusOn("main");
});
show();
