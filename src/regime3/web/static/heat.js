// Two maps: how often each level passes and where rows are aimed, and what is solved by length.

import { $, el, text, whenChanged } from "./dom.js";
import * as say from "./format.js";

export const showCurriculum = whenChanged(({ families, aimed, shards, rows }) => {
  const names = Object.keys(families);
  text("curriculum-note", rows ? `attempts that pass, and the share of the last ${say.whole(rows)} rows that went there` : "");
  if (!names.length) {
    $("curriculum").replaceChildren(el("p", { class: "empty" }, "How often attempts pass and where new rows are aimed, by family and level, once the forge has asked the model for attempts."));
    return;
  }
  const places = Object.keys(aimed).map((place) => Number(place.split(":")[1]));
  const top = Math.max(...names.map((name) => families[name].top), ...places);
  const most = Math.max(1, ...Object.values(aimed));
  $("curriculum").replaceChildren(map("Level", Array.from({ length: top }, (_, at) => String(at + 1)), names.map((name) => [
    name, families[name].stopped ? "rests" : "",
    Array.from({ length: top }, (_, at) => {
      const level = families[name].levels.find((one) => one.level === at + 1);
      const share = level?.pass_rate ?? null;
      const told = aimed[`${name}:${at + 1}`] ?? 0;
      if (!level && !told) return cell(null, "closed", null, "");
      const asked = level?.problems_asked ? `${say.whole(level.problems_solved)} of ${say.whole(level.problems_asked)} problems solved` : "never asked";
      return cell(share, share === null ? say.UNKNOWN : say.percent(100 * share), told / most, `${rows ? say.percent((100 * told) / rows, 1) : say.UNKNOWN} of rows`, asked);
    }),
  ])));
  if (!shards) text("curriculum-note", "attempts that pass; no shard was written yet");
});

export const showLengths = whenChanged(({ from_steps: starts, families, checkpoints }) => {
  const names = Object.keys(families).sort();
  text("lengths-note", names.length ? `probes, checkpoints ${checkpoints[0]} to ${checkpoints[1]}, by steps of the answer` : "");
  if (!names.length) {
    $("lengths").replaceChildren(el("p", { class: "empty" }, "Which lengths of reasoning hold in which family, once a checkpoint has answered the probes."));
    return;
  }
  const last = names.reduce((most, name) => Math.max(most, families[name].findLastIndex(([asked]) => asked > 0)), 0);
  const columns = starts.slice(0, last + 1).map((from, at) => {
    const to = (starts[at + 1] ?? Infinity) - 1;
    return to === from ? String(from) : to === Infinity ? `${from} and more` : `${from} to ${to}`;
  });
  $("lengths").replaceChildren(map("Steps", columns, names.map((name) => [
    name, "", columns.map((_, at) => {
      const [asked, solved] = families[name][at];
      return asked ? cell(solved / asked, say.percent((100 * solved) / asked), null, `${solved} of ${asked}`) : cell(null, "", null, "");
    }),
  ])));
});

function map(corner, columns, rows) {
  return el("table", { class: "heat" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, corner), ...columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map(([name, remark, cells]) => el("tr", {}, el("th", { scope: "row" }, name, remark ? el("span", { class: "warn" }, ` ${remark}`) : ""), ...cells))));
}

/** `share` colours the ground, `aim` is the bar; both stand there as words too. */
function cell(share, word, aim, remark, title = "") {
  const made = el("td", { title: title || null }, el("b", {}, word), remark ? el("small", {}, remark) : "");
  made.style.setProperty("--share", String(share ?? 0));
  if (aim !== null) {
    const bar = el("i", { "aria-hidden": "true" });
    bar.style.width = `${100 * aim}%`;
    made.append(bar);
  }
  return made;
}
