// The loop: what was judged, how often each level passes, probes solved by regime, last attempts.

import uPlot from "./vendor/uplot/uPlot.min.js";
import { $, el, icon, text, whenChanged } from "./dom.js";
import * as say from "./format.js";
import { colours } from "./tracks.js";

const ASK_MS = 4000;
const VERDICTS_SHOWN = 7;
const ALERTS_SHOWN = 3;
const CURVE_PX = 168;
const REGIME = { 1: "English", 2: "S-expressions", 3: "codes" };

/** Shape and colour of each verdict. */
export const VERDICT = {
  first: ["e-seal", ""], promote: ["e-up", "acc"], hold: ["e-hold", ""], worse: ["e-down", "warn"], rollback: ["e-turn", "bad"],
};
export const WORD = { first: "First champion", promote: "Promoted", hold: "Held", worse: "Worse", rollback: "Rolled back" };
const STEP = { ok: ["tick", "acc", "holds"], bad: ["cross", "bad", "first bad step"], unread: ["l-none", "t3", "not judged"] };

export const verdictText = (one) => `${WORD[one.word]}${one.by === "user" ? " by hand" : ""}: checkpoint ${one.seal}${one.reason ? `, ${one.reason}` : ""}`;

export class Loop {
  /** `onVerdicts` is told the verdicts whenever there are new ones. */
  constructor(feed, onVerdicts) {
    this.feed = feed;
    this.askedAt = -Infinity;
    this.chart = null;
    this.showVerdicts = whenChanged(([judge]) => { verdicts(judge, feed); onVerdicts(judge?.verdicts ?? []); });
    this.showRates = whenChanged(([forge, problem]) => rates(forge, problem));
    this.showAttempts = makeAttempts(feed);
    this.curves = {};
    this.showCurves = whenChanged(([curves]) => { this.curves = curves ?? {}; this.draw(); });
    new ResizeObserver(() => this.draw()).observe($("loop-curve"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Called with every status; asks when its own last answer is old enough. */
  async follow() {
    if (performance.now() - this.askedAt < ASK_MS) return;
    this.askedAt = performance.now();
    const told = await this.feed.ask("/api/loop");
    if (!told) return; // as before, or no answer
    this.showVerdicts([told.judge]);
    this.showRates([told.forge, told.problem]);
    this.showAttempts(told.attempts);
    this.showCurves([told.curves]);
  }

  /** Percent of the probes solved, a line for each regime, over the trainer's steps. */
  draw() {
    this.chart?.destroy();
    this.chart = null;
    const box = $("loop-curve");
    const names = Object.keys(this.curves);
    const steps = [...new Set(names.flatMap((name) => this.curves[name].map(([step]) => step)))].sort((a, b) => a - b);
    $("loop-curve-note").textContent = steps.length ? curveText(this.curves) : "Probes solved by each judged checkpoint are drawn here, a line for each regime.";
    box.hidden = steps.length < 2;
    if (box.hidden || !box.clientWidth) return;
    const theme = colours();
    const ink = [theme.acc, theme.ink, theme.ink3];
    const lines = names.map((name) => {
      const known = new Map(this.curves[name]);
      return steps.map((step) => known.get(step) ?? null);
    });
    const axis = { stroke: theme.ink3, font: '11px "Plex Sans", system-ui, sans-serif', ticks: { show: false }, grid: { stroke: theme.line, width: 1 } };
    this.chart = new uPlot({
      width: box.clientWidth, height: CURVE_PX, padding: [10, 0, 0, 0], legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false }, y: { range: (u, low, high) => [0, Math.max(5, (high ?? 0) * 1.15)] } },
      axes: [{ ...axis, space: 74, size: 26, gap: 6, values: (u, splits) => splits.map(say.whole) }, { ...axis, side: 1, size: 44, gap: 8, values: (u, splits) => splits.map((at) => `${at} %`) }],
      series: [{}, ...names.map((name, index) => ({ label: REGIME[name] ?? name, stroke: ink[index % ink.length], width: 2, dash: index ? [6 - 2 * index, 3] : [], spanGaps: true, points: { show: steps.length < 40, size: 5 } }))],
    }, [steps, ...lines], box);
  }
}

function curveText(curves) {
  const parts = Object.entries(curves).map(([name, points]) => `${REGIME[name] ?? name} ${say.percent(points[0][1])} at step ${say.whole(points[0][0])}, ${say.percent(points.at(-1)[1])} at ${say.whole(points.at(-1)[0])}`);
  return `Probes solved: ${parts.join("; ")}.`;
}

// ---------------------------------------------------------------------------- verdicts

function verdicts(judge, feed) {
  const box = $("verdicts");
  if (!judge || !judge.verdicts.length) {
    text("loop-note", "");
    box.replaceChildren(el("li", { class: "t2" }, el("span"), el("span", {}, "The first checkpoint that the node has answered for becomes the champion. To begin: ", el("code", {}, "r3 up"))));
    return;
  }
  const { case: open } = judge;
  const doing = open ? `judging checkpoint ${open.seal}: ${open.wins} won, ${open.losses} lost of ${open.pairs}` : "waiting for the next checkpoint";
  text("loop-note", `champion is checkpoint ${judge.champion}; ${doing}`);
  box.replaceChildren(...judge.verdicts.slice(-VERDICTS_SHOWN).reverse().map((one) => el("li", {},
    icon(...VERDICT[one.word]),
    el("span", {}, el("b", {}, WORD[one.word]), one.by === "user" ? " by hand" : "", ` checkpoint ${one.seal}`, one.reason ? el("span", { class: "t2" }, `, ${one.reason}`) : ""),
    el("span", { class: "when" }, say.clock(one.at, feed.now())))));
}

// ---------------------------------------------------------------------------- pass rates

function rates(forge, problem) {
  const box = $("rates");
  const names = Object.keys(forge?.families ?? {});
  if (!names.length) {
    text("rates-note", "");
    box.replaceChildren(el("p", { class: "empty" }, problem ? `${problem.reason}. Next: ${problem.next}` : "How often attempts pass, by family and level, once the forge has asked for some."));
    return;
  }
  const last = forge.shards.at(-1);
  text("rates-note", `${say.whole(forge.rows_made)} rows made in ${say.whole(forge.next_shard - 1)} shards${last?.note ? `; ${last.note}` : ""}`);
  const top = Math.max(...names.map((name) => forge.families[name].top));
  const levels = Array.from({ length: top }, (_, at) => at + 1);
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Level"), ...levels.map((level) => el("th", { scope: "col" }, String(level)))));
  const rows = names.map((name) => el("tr", {},
    el("th", { scope: "row" }, name, forge.families[name].stopped ? el("span", { class: "warn" }, " rests") : ""),
    ...levels.map((level) => rate(forge.families[name], level))));
  const alerts = forge.alerts.slice(-ALERTS_SHOWN).reverse().map((one) => el("li", {}, icon("l-warn", "warn"), el("span", {}, one.message), el("span", { class: "when" }, say.clock(one.at))));
  box.replaceChildren(el("table", { class: "rates" }, head, el("tbody", {}, ...rows)), el("ul", { class: "since told" }, ...alerts));
}

function rate(family, level) {
  const cell = family.levels.find((one) => one.level === level);
  if (level > family.top) return el("td", { class: "t3" }, el("span", { class: "sr" }, "closed"));
  const share = cell?.pass_rate ?? null;
  const bar = el("i");
  bar.style.width = `${100 * (share ?? 0)}%`;
  return el("td", {}, share === null ? say.UNKNOWN : say.percent(100 * share), el("span", { class: "bar2", "aria-hidden": "true" }, bar));
}

// ---------------------------------------------------------------------------- attempts

function makeAttempts(feed) {
  let chosen = 0;
  const show = whenChanged(([sheet, at]) => {
    const box = $("attempts");
    if (!sheet) {
      text("attempts-note", "");
      box.className = "";
      box.replaceChildren(el("p", { class: "empty" }, "What the model tried, each step ticked or crossed by the checker, once the forge has asked."));
      return;
    }
    box.className = "ex";
    text("attempts-note", `some of shard ${sheet.shard}, by ${sheet.model}, ${say.clock(sheet.at, feed.now())}`);
    const current = sheet.attempts[at] ?? sheet.attempts[0];
    const list = el("div", { class: "exl" }, ...sheet.attempts.map((one, index) => el("button", {
      type: "button", "aria-pressed": String(one === current), onclick: () => { chosen = index; show([sheet, chosen]); },
    }, mark(one), el("b", {}, one.prompt.replace(/\s+/g, " ")), el("span", { class: "when" }, `${one.family} ${one.level}`))));
    box.replaceChildren(list, attempt(current));
  });
  return (sheet) => show([sheet, chosen]);
}

function mark(one) {
  return el("span", {}, icon(one.valid ? "tick" : "cross", one.valid ? "acc" : "bad"), el("span", { class: "sr" }, one.valid ? "right: " : "wrong: "));
}

function attempt(one) {
  const steps = one.steps.map((step) => {
    const [shape, colour, word] = STEP[step.word];
    return el("li", { class: step.word }, icon(shape, colour), el("span", { class: "sr" }, `${word}: `), el("code", {}, step.text), el("span", { class: "t2" }, step.english));
  });
  const told = one.valid ? "Every step holds" : say.sentenceCase(one.reason);
  return el("div", { class: "exd" },
    el("p", { class: "prompt", tabindex: "0", role: "group", "aria-label": "Problem" }, one.prompt),
    steps.length ? el("ol", { class: "steps" }, ...steps) : null,
    el("p", { class: one.valid ? "acc" : "bad" }, told),
    el("p", { class: "t3" }, `${say.whole(one.tokens)} tokens${one.right && !one.valid ? "; the answer itself is right" : ""}`));
}
