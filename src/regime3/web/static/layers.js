// What each layer adds to what passes through it, validation by validation.

import { $, el, svg, text, whenChanged } from "./dom.js";
import * as say from "./format.js";

const CELL_PX = 8;
const STRIP_PX = 14;

export const showLayers = whenChanged(({ layers, measured, readings }) => {
  if (!layers) {
    text("layers-note", "");
    $("layers").replaceChildren(el("p", { class: "empty" }, "What each layer adds to what it is given, and how steadily, from the first validation on."));
    return;
  }
  const [first, last] = [readings[0], readings.at(-1)];
  text("layers-note", `what a layer adds, as a share of what it is given; ${say.whole(measured)} validations, steps ${say.whole(first.step)} to ${say.whole(last.step)}`);
  const most = Math.max(1e-9, ...readings.flatMap((one) => one.activity));
  const head = ["Layer", "Adds now", "At first", "As before", "Through time"].map((name) => el("th", { scope: "col" }, name));
  const rows = last.activity.map((now, at) => el("tr", {},
    el("th", { scope: "row" }, String(at + 1)),
    el("td", {}, say.percent(100 * now)),
    el("td", {}, say.percent(100 * first.activity[at])),
    el("td", { title: "cosine of what it adds with the validation before" }, last.steadiness ? last.steadiness[at].toFixed(3) : say.UNKNOWN),
    el("td", { class: "strip" }, strip(readings.map((one) => one.activity[at] / most)))));
  $("layers").replaceChildren(el("table", { class: "ledger layers" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
});

/** A cell a reading, the oldest left; how full it is says how much. The columns beside it say it in figures. */
function strip(shares) {
  const box = svg("svg", { viewBox: `0 0 ${shares.length * CELL_PX} ${STRIP_PX}`, width: shares.length * CELL_PX, height: STRIP_PX, "aria-hidden": "true" });
  shares.forEach((share, at) => {
    const height = Math.max(1, share * STRIP_PX);
    box.append(svg("rect", { x: at * CELL_PX, y: STRIP_PX - height, width: CELL_PX - 1, height }));
  });
  return box;
}
