// One problem's answers through time: what stayed, what went, and when it was solved.

import { $, el, icon, text, whenChanged } from "./dom.js";
import * as say from "./format.js";
import { choose, chosen } from "./place.js";

const REGIME = { 1: "English", 2: "S-expressions", 3: "codes" };
const KEEP = {
  all: () => true,
  solved: (told, name) => told.solved.includes(name),
  lost: (told, name) => name in told.regressions,
  never: (told, name) => !(name in told.first_solved),
};

export class Evolution {
  constructor(feed, walk) {
    this.feed = feed;
    this.walk = walk;
    this.told = null;
    this.kind = chosen("kind") in KEEP ? chosen("kind") : "all";
    this.name = chosen("probe");
    this.list = el("div", { class: "exl" });
    this.story = el("div", { class: "exd" });
    this.showList = whenChanged(([told, kind, name]) => this.names(told, kind, name));
    this.showStory = whenChanged(([told]) => this.answers(told));
    for (const button of $("probe-kinds").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.kind === this.kind));
      button.addEventListener("click", () => this.pick(button.dataset.kind));
    }
  }

  pick(kind) {
    this.kind = kind;
    choose("kind", kind === "all" ? "" : kind);
    for (const button of $("probe-kinds").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
    this.draw();
  }

  take(told) {
    this.told = told;
    this.draw();
  }

  draw() {
    const { told } = this;
    if (!told) return;
    if (!told.probes.length) {
      text("evolution-note", "");
      $("evolution").className = "";
      $("evolution").replaceChildren(el("p", { class: "empty" }, "The same problems are asked of every judged checkpoint. Their answers stand here side by side, once one has answered."));
      return;
    }
    if (!told.probes.includes(this.name)) this.name = told.solved[0] ?? told.probes[0];
    $("evolution").className = "ex";
    if (!this.list.isConnected) $("evolution").replaceChildren(this.list, this.story);
    const lost = Object.keys(told.regressions).length;
    text("evolution-note", `${say.whole(told.solved.length)} of ${say.whole(told.probes.length)} probes solved by the last of ${say.whole(told.checkpoints.length)} checkpoints; ${say.whole(lost)} lost again`);
    this.showList([told, this.kind, this.name]);
    this.tell();
  }

  names(told, kind, name) {
    const kept = told.probes.filter((one) => KEEP[kind](told, one));
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...kept.map((one) => {
      const [family, level, number, regime] = one.split(":");
      const solved = told.solved.includes(one);
      const first = told.first_solved[one];
      const when = first === undefined ? "never" : one in told.regressions ? `lost after ${say.whole(told.regressions[one])}` : `since ${say.whole(first)}`;
      return el("button", { type: "button", "aria-pressed": String(one === name), onclick: () => { this.name = one; choose("probe", one); this.draw(); } },
        el("span", {}, icon(solved ? "tick" : "cross", solved ? "acc" : "t3"), el("span", { class: "sr" }, solved ? "solved: " : "not solved: ")),
        el("b", {}, `${family} ${level}, no. ${number}, ${REGIME[regime] ?? regime}`), el("span", { class: "when" }, when));
    }));
    if (!kept.length) this.list.append(el("p", { class: "empty" }, "No problem is of this kind."));
    if (focused) this.list.querySelector("[aria-pressed=true]")?.focus();
  }

  async tell() {
    const name = this.name;
    const told = await this.feed.ask(`/api/lab/probe?name=${encodeURIComponent(name)}`);
    if (told) this.last = told;
    if (this.last?.probe === name) this.showStory([this.last]);
  }

  answers({ probe, problem, answers }) {
    const steps = spans(answers).reverse();
    this.story.replaceChildren(
      el("p", { class: "prompt", tabindex: "0", role: "group", "aria-label": "Problem" }, problem?.prompt ?? probe),
      el("details", {}, el("summary", {}, "The oracle's answer"), el("pre", { tabindex: "0" }, problem?.golden ?? say.UNKNOWN)),
      el("div", { class: "spans" }, ...steps.map((one) => this.span(one))));
  }

  span({ first, last, count, answer, before }) {
    const when = first === last ? `step ${say.whole(first.step)}` : `steps ${say.whole(first.step)} to ${say.whole(last.step)}, ${say.whole(count)} checkpoints alike`;
    const read = answer.canonical || answer.thought + answer.answer;
    return el("article", {},
      el("h3", {}, icon(answer.valid ? "tick" : "cross", answer.valid ? "acc" : "bad"), el("span", {}, answer.valid ? "solved" : answer.right ? "answer right, reasoning not" : "not solved"),
        el("span", { class: "t3" }, when),
        el("button", { type: "button", class: "link tok", onclick: () => this.walk(answer.model) }, `checkpoint ${last.seal}`)),
      el("pre", { tabindex: "0" }, ...difference(before, read)),
      answer.valid || !answer.reason ? null : el("p", { class: "t2 small" }, `${answer.bad_step === null ? "" : `Step ${answer.bad_step}: `}${answer.reason}`));
  }
}

/** Answers that stand unchanged from one checkpoint to the next are one span. */
function spans(answers) {
  const found = [];
  for (const answer of answers) {
    const read = answer.canonical || answer.thought + answer.answer;
    const open = found.at(-1);
    if (open && open.read === read && open.answer.valid === answer.valid) Object.assign(open, { last: answer, count: open.count + 1 });
    else found.push({ first: answer, last: answer, count: 1, answer, read, before: open?.read ?? null });
  }
  return found;
}

/** Lines of `now`, with what came and what went against `before`. */
function difference(before, now) {
  const lines = now.split("\n");
  if (before === null) return lines.map((line) => el("span", {}, `${line}\n`));
  const old = before.split("\n");
  const longest = Array.from({ length: old.length + 1 }, () => new Array(lines.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = lines.length - 1; j >= 0; j -= 1) longest[i][j] = old[i] === lines[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
  }
  const shown = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < lines.length) {
    if (i < old.length && j < lines.length && old[i] === lines[j]) { shown.push(el("span", {}, `${lines[j]}\n`)); i += 1; j += 1; }
    else if (i < old.length && (j === lines.length || longest[i + 1][j] >= longest[i][j + 1])) { shown.push(el("del", {}, `${old[i]}\n`)); i += 1; }
    else { shown.push(el("ins", {}, `${lines[j]}\n`)); j += 1; }
  }
  return shown;
}
