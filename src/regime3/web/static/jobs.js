// What the node works on, and its power.

import { $, el, text, whenChanged } from "./dom.js";
import * as say from "./format.js";
import { actButton } from "./control.js";

const ENDED = ["done", "failed", "cancelled"];

export const makeJobs = (feed) => whenChanged(({ jobs, reason }) => {
  if (!jobs) {
    text("jobs-note", "");
    $("jobs").replaceChildren(el("p", { class: "empty" }, `Evaluations, generation and comparisons that the node works on stand here. ${say.sentenceCase(reason)}.`));
    return;
  }
  const open = jobs.data.filter((one) => !ENDED.includes(one.state)).length;
  text("jobs-note", `the newest ${say.whole(jobs.data.length)}, ${say.whole(open)} of them open`);
  const head = ["Job", "Kind", "State", "Done", "Asked", ""].map((name) => el("th", { scope: "col" }, name || el("span", { class: "sr" }, "Act")));
  const rows = jobs.data.map((one) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, one.id)), el("td", {}, one.kind), el("td", { class: one.state === "failed" ? "bad" : "" }, one.state),
    el("td", {}, `${say.whole(one.done)} of ${say.whole(one.total)}`), el("td", {}, say.clock(one.created, feed.now())), el("td", {}, ENDED.includes(one.state) ? "" : actButton("Cancel", { verb: "cancel", id: one.id }))));
  if (rows.length) $("jobs").replaceChildren(el("table", { class: "ledger" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
  else $("jobs").replaceChildren(el("p", { class: "empty" }, "The node has had no job yet."));
});
