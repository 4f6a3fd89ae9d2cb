// The rail and the answers: alerts, what happened lately, accuracy, validation answers.

import { $, el, icon, text, whenChanged } from "./dom.js";
import * as say from "./format.js";

const LEVEL = { ERROR: ["l-error", "bad"], WARN: ["l-warn", "warn"], INFO: ["l-info", "t3"] };
const LEVEL_WORD = { ERROR: "error", WARN: "warning", INFO: "note" };
const EVENT = {
  sealed: "e-seal", admitted: "e-file", branched: "e-turn", "worker-died": "e-turn", started: "e-turn",
  ready: "e-turn", resumed: "e-turn", "alert-stall": "e-fault", rollback: "e-turn", "out-of-memory": "e-fault", "row-given-up": "e-fault",
};

/** The shape of an event's kind. */
export const eventIcon = (event) => EVENT[event.kind] ?? (event.level === "INFO" ? "l-info" : "e-fault");
export const eventColour = (event) => ({ ERROR: "bad", WARN: "warn" })[event.level] ?? "";

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export function makeAlerts(feed) {
  return whenChanged(([alerts]) => {
    const { ERROR: errors, WARN: warnings, INFO: notes } = { ERROR: 0, WARN: 0, INFO: 0, ...counted(alerts) };
    const counts = [[errors, "error"], [warnings, "warning"], [notes, "note"]];
    text("alerts-note", counts.filter(([count]) => count).map(([count, word]) => plural(count, word)).join(", "));
    const items = alerts.map((alert) => {
      const [shape, colour] = LEVEL[alert.level];
      const times = alert.count > 1 ? ` (${say.whole(alert.count)} times)` : "";
      return el("li", {},
        icon(shape, colour),
        el("span", { class: "t" }, el("span", { class: "sr" }, `${LEVEL_WORD[alert.level]}: `), say.sentenceCase(alert.message) + times),
        el("span", { class: "when" }, say.clock(alert.last, feed.now())),
        el("p", {}, alert.what_to_do));
    });
    const quiet = el("li", {}, icon("tick", "t3"), el("span", { class: "t2" }, "Nothing needs you."));
    $("alerts").replaceChildren(...(items.length ? items : [quiet]));
  });
}

function counted(alerts) {
  const counts = {};
  for (const alert of alerts) counts[alert.level] = (counts[alert.level] ?? 0) + 1;
  return counts;
}

export function makeEvents(feed) {
  return whenChanged(([events]) => {
    const items = events.slice(-6).reverse().map((event) => el("li", {},
      icon(eventIcon(event), eventColour(event)),
      el("span", {}, event.text),
      el("span", { class: "when" }, say.clock(event.time, feed.now()))));
    const none = el("li", {}, el("span"), el("span", { class: "t2" }, "Checkpoints, arrivals and faults are told here as they happen."));
    $("events").replaceChildren(...(items.length ? items : [none]));
  });
}

export const showAccuracy = whenChanged(([status]) => {
  const box = $("accuracy");
  if (!status || !status.total_evals) {
    text("accuracy-note", "");
    box.replaceChildren(el("p", { class: "empty" }, "Every so many steps the model answers rows of validation/, which it never trains on. How many are right stands here."));
    return;
  }
  text("accuracy-note", `${say.whole(status.total_evals)} validation answers`);
  const matches = status.recent_matches;
  const right = [...matches].filter((one) => one === "1").length;
  const trend = status.accuracy_trend ? `, ${status.accuracy_trend}` : "";
  box.replaceChildren(
    el("p", { class: "big" }, el("b", {}, say.percent(status.fixed_eval_em)), el("span", {}, `exact match, last evaluation${trend}`)),
    el("div", { class: "wl", role: "img", "aria-label": `${right} of the last ${matches.length} answers right` },
      ...[...matches].map((one) => el("i", { class: one === "1" ? "y" : "n" }))),
    el("p", { class: "wlcap" }, el("span", {}, "newest right"),
      el("span", {}, el("b", {}, String(right)), ` of last ${matches.length}, in all `, el("b", {}, say.percent(status.accuracy_percent)))),
    status.token_entropy === null ? "" : el("p", { class: "t2 small", title: "Of the next token on validation rows: how much it leaves open, and by how much its confidence misses how often it is right" },
      `Next tokens: entropy ${say.loss(status.token_entropy)} nats, calibration error ${say.percent(100 * status.fixed_eval_ece, 1)}`));
});

let chosen = null;

export function makeAnswers(feed) {
  const show = whenChanged(([examples, marked]) => {
    const box = $("answers");
    if (!examples.length) {
      text("answers-note", "");
      box.className = "";
      box.replaceChildren(el("p", { class: "empty" }, "Prompts of validation/ with the golden answer and the model's own, as it wrote it, once an evaluation has run."));
      return;
    }
    box.className = "ex";
    text("answers-note", "prompts never trained on, answered greedily");
    const current = examples.find((one) => keyOf(one) === marked) ?? examples[0];
    const list = el("div", { class: "exl" }, ...examples.map((one) => el("button", {
      type: "button", "aria-pressed": String(one === current),
      onclick: () => { chosen = keyOf(one); show([examples, chosen]); },
    },
    verdict(one), el("b", {}, oneLine(one.prompt)), el("span", { class: "when" }, say.clock(one.time, feed.now())))));
    box.replaceChildren(list, detail(current));
  });
  return (examples) => show([examples, chosen]);
}

const keyOf = (one) => `${one.step}|${one.prompt}`;
const oneLine = (words) => words.replace(/\s+/g, " ").slice(0, 120) || "(empty prompt)";

function verdict(one) {
  const mark = icon(one.matches ? "tick" : "cross", one.matches ? "acc" : "bad");
  return el("span", {}, mark, el("span", { class: "sr" }, one.matches ? "right: " : "wrong: "));
}

function detail(one) {
  const side = (title, tokens, words, mark) => el("div", {},
    el("h3", {}, mark, title, el("span", { class: "tok" }, tokens ? `${say.whole(tokens)} tokens` : "")),
    el("p", { class: "text", tabindex: "0", role: "group", "aria-label": `${title} answer` }, words || "(nothing)"));
  return el("div", { class: "exd" },
    one.system_prompt ? el("p", { class: "sys" }, one.system_prompt) : null,
    el("p", { class: "prompt", tabindex: "0", role: "group", "aria-label": "Prompt" }, one.prompt),
    el("div", { class: "sides" },
      side("Golden", one.golden_tokens, one.golden, null),
      side("Model", one.model_tokens, one.model, verdict(one))),
    el("p", { class: "t3" }, `at step ${say.whole(one.step)}`));
}
