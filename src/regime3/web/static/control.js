// Acting on the lab: a dialog behind a token, each act confirmed, and taken back where it can be.
//
// Any part of a page may ask for an act: `request(node, act, name)` is heard here.

import { $, el } from "./dom.js";
import * as say from "./format.js";

const ANSWER_MS = 130000;
const LANES = ["high", "normal", "low"];
const PROFILES = ["quiet", "normal", "max", "auto"];

/** What each act does, as a title, a consequence and a button. `name` is a file's. */
const TOLD = {
  pause: () => ["Pause training", "Training rests after the current window, also across restarts, until it is resumed."],
  resume: () => ["Resume training", "Training goes on where it rests."],
  seal: () => ["Seal a checkpoint", "The trainer writes a checkpoint after the current window."],
  skip: (act, name) => [`Skip ${name}`, "The rest of the file is set aside until it is retried. What was trained of it stays trained."],
  retry: (act, name) => [`Retry ${name}`, "Training goes on with the file where it was."],
  move: (act, name) => [`Move ${name} to ${act.lane}`, "Its new priority counts from the next window."],
  promote: (act) => [`Promote checkpoint ${act.number}`, "It becomes the champion, whatever the judge says. The trainer goes on as it is."],
  rollback: (act) => [`Go back to checkpoint ${act.number}`, "Training goes on from its weights. Your files' rows trained since then train again, and the forge's shards since then are quarantined. This cannot be undone: later checkpoints stay on the disk, and nothing goes on from them."],
  cancel: (act) => [`Cancel ${act.id}`, "The job ends; what it has made so far is kept."],
  guest: (act) => [`Load ${act.id}`, "The node loads it beside champion and challenger, so that it can be talked to. It leaves when the loop needs its place."],
  power: (act) => [`Power profile ${act.id}`, act.id === "auto" ? "The node keeps to its quiet hours and settings again." : "It holds until quiet hours next begin or end."],
};

/** Ask for an act from anywhere on the page. */
export function request(node, act, name = "") {
  node.dispatchEvent(new CustomEvent("r3-act", { bubbles: true, detail: { act, name } }));
}

/** A button that asks for an act; seen only by who may act. */
export const actButton = (word, act, name = "") => el("button", { type: "button", class: "link may-act", onclick: (event) => request(event.currentTarget, act, name) }, word);

export class Control {
  constructor(feed) {
    this.feed = feed;
    this.may = false;
    this.dialog = $("acting");
    this.wanted = null;
    $("control").addEventListener("click", () => this.open(null));
    $("acting-close").addEventListener("click", () => this.dialog.close());
    document.addEventListener("r3-act", ({ detail }) => this.open(detail));
    this.look();
  }

  async look() {
    const told = await send("GET", "/api/session");
    this.set(told.control === true);
  }

  set(may) {
    this.may = may;
    document.body.dataset.control = may ? "yes" : "no";
  }

  async open(wanted) {
    this.wanted = wanted;
    await this.draw();
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.querySelector("input, .first")?.focus();
  }

  async draw() {
    const parts = !this.may ? this.signIn() : this.wanted ? this.confirm(this.wanted) : await this.menu();
    $("acting-title").textContent = !this.may ? "Sign in to act" : this.wanted ? TOLD[this.wanted.act.verb](this.wanted.act, this.wanted.name)[0] : "Control";
    $("acting-body").replaceChildren(...parts);
  }

  // ----------------------------------------------------------------------------- sign in

  signIn() {
    const field = el("input", { type: "password", id: "acting-token", autocomplete: "current-password", spellcheck: "false", required: "" });
    const problem = el("p", { class: "warn", role: "alert" });
    const form = el("form", {
      class: "signin",
      onsubmit: async (event) => {
        event.preventDefault();
        const told = await send("POST", "/api/session", { token: field.value.trim() });
        if (told.error) {
          problem.textContent = `${say.sentenceCase(told.error)}.`;
          field.focus();
          return;
        }
        this.set(true);
        await this.draw();
        this.dialog.querySelector(".first")?.focus();
      },
    }, el("label", { for: "acting-token" }, "Control token"), field, el("button", { class: "do" }, "Sign in"), problem);
    return [el("p", { class: "t2" }, "Looking is open to you; changing something wants a control token of this lab. Make one where the lab lies: ", el("code", {}, "r3 token create control")), form];
  }

  // ----------------------------------------------------------------------------- confirm

  confirm({ act, name }) {
    const [title, consequence] = TOLD[act.verb](act, name);
    const yes = el("button", { type: "button", class: "do", onclick: async () => { yes.disabled = true; await this.act(act, title, name); this.dialog.close(); } }, title);
    const no = el("button", { type: "button", class: "btn first", onclick: () => { if (this.menued) { this.wanted = null; this.draw(); } else this.dialog.close(); } }, "Leave it");
    return [el("p", {}, consequence), el("div", { class: "dos" }, yes, no)];
  }

  async act(act, title, name) {
    const told = await send("POST", "/api/act", act);
    if (told.error) {
      if (told.status === 403) this.set(false);
      this.toast("l-warn", `${title}: ${told.error}.`, told.next, null);
      return;
    }
    this.toast("tick", `${say.sentenceCase(told.text)}.`, null, told.undo && { act: told.undo, name: told.name || name });
  }

  toast(shape, text, next, undo) {
    const close = el("button", { type: "button", class: "btn", onclick: () => { $("toast").hidden = true; } }, "Close");
    const back = undo && el("button", { type: "button", class: "btn", onclick: () => this.act(undo.act, TOLD[undo.act.verb](undo.act, undo.name)[0], undo.name) }, "Undo");
    $("toast").replaceChildren(el("p", {}, text, next ? el("span", { class: "t2" }, " Next: ", el("code", {}, next)) : ""), ...(back ? [back] : []), close);
    $("toast").hidden = false;
  }

  // -------------------------------------------------------------------------------- menu

  async menu() {
    const [ledger, power] = await Promise.all([send("GET", "/api/lab/ledger"), send("GET", "/api/node/power")]);
    const status = this.feed.live?.status ?? null;
    const paused = this.feed.live?.judgement?.state === "paused";
    const go = (act, name = "") => { this.menued = true; this.wanted = { act, name }; this.draw().then(() => this.dialog.querySelector(".first")?.focus()); };
    const button = (word, make, first = false) => el("button", { type: "button", class: first ? "do first" : "do", onclick: () => { const wanted = make(); if (wanted) go(...wanted); } }, word);
    const group = (title, ...parts) => el("section", {}, el("h3", {}, title), el("div", { class: "dos" }, ...parts));
    const select = (label, options) => el("select", { "aria-label": label }, ...options.map(([value, word]) => el("option", { value }, word)));
    const parts = [group("Training", button(paused ? "Resume" : "Pause", () => [{ verb: paused ? "resume" : "pause", reason: "asked on the page" }], true), button("Seal a checkpoint", () => [{ verb: "seal" }]))];
    const files = status?.queue?.files ?? [];
    if (files.length) {
      const file = select("File", files.map((one) => [one.id, one.name]));
      const lane = select("Lane", LANES.map((one) => [one, one]));
      const chosen = () => files.find((one) => one.id === file.value);
      parts.push(group("Queue", file, button("Skip", () => [{ verb: "skip", id: file.value }, chosen().name]), lane, button("Move", () => [{ verb: "move", id: file.value, lane: lane.value }, chosen().name])));
    }
    const kept = (ledger.checkpoints ?? []).filter((one) => one.state !== "damaged").reverse();
    if (kept.length) {
      const number = select("Checkpoint", kept.map((one) => [one.number, `${one.number}, step ${say.whole(one.step)}${one.number === ledger.champion ? ", champion" : ""}`]));
      parts.push(group("Checkpoints", number, button("Promote", () => [{ verb: "promote", number: Number(number.value), reason: "asked on the page" }]), button("Go back to it", () => [{ verb: "rollback", number: Number(number.value), reason: "asked on the page" }])));
    }
    if (power.profile) {
      const profile = select("Power profile", PROFILES.map((one) => [one, one]));
      profile.value = power.profile.profile;
      parts.push(group("Node's power", el("p", { class: "t2 small" }, `${power.profile.profile}, by ${power.profile.by}${power.schedule?.quiet_hours ? `; quiet hours ${power.schedule.quiet_hours}` : ""}${power.profile.reason ? `; ${power.profile.reason}` : ""}`), profile, button("Set", () => [{ verb: "power", id: profile.value }])));
    }
    const leave = el("button", { type: "button", class: "btn", onclick: async () => { await send("POST", "/api/session", { token: "" }); this.set(false); this.dialog.close(); } }, "Sign out");
    return [...parts, el("div", { class: "dos" }, leave)];
  }
}

/** JSON of an answer; what went wrong is its `error`. */
async function send(method, path, body = null) {
  try {
    const more = body === null ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(path, { method, ...more, signal: AbortSignal.timeout(ANSWER_MS) });
    return { ...(await answer.json()), status: answer.status };
  } catch {
    return { error: "no answer came; look whether it was done", status: 0 };
  }
}
