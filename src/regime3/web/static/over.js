// Readings of either box over time: a track for each figure that was ever measured, one axis, one cursor.

import uPlot from "./vendor/uplot/uPlot.min.js";
import { $, el, text } from "./dom.js";
import * as say from "./format.js";
import { choose, chosen } from "./place.js";
import { colours } from "./tracks.js";

const ASK_MS = 8000;
const POINTS = 400;
const TALL_PX = 88;
const ROWS_SHOWN = 60;

const degrees = (value) => (value === null ? say.UNKNOWN : `${say.whole(value)} °C`);
const watts = (value) => (value === null ? say.UNKNOWN : `${say.whole(value)} W`);
const TRACKS = [
  ["Memory used", say.bytes, "memory_used_bytes", "worker_memory_bytes", "worker or engine"],
  ["Processor", say.percent, "cpu_percent"],
  ["Card memory", say.bytes, "gpu_memory_bytes"],
  ["Card temperature", degrees, "gpu_temperature_c"],
  ["Card power", watts, "gpu_power_w"],
  ["Card load", say.percent, "gpu_busy_percent"],
  ["Disk free", say.bytes, "disk_free_bytes"],
];

export class Over {
  constructor(feed) {
    this.feed = feed;
    this.range = 3600;
    this.box = chosen("box") === "node" ? "node" : "trainer";
    this.askedAt = -Infinity;
    this.charts = [];
    this.told = null;
    for (const button of $("ranges").querySelectorAll("[data-range]")) button.addEventListener("click", () => this.choose(Number(button.dataset.range)));
    for (const button of $("box-choice").querySelectorAll("[data-box]")) {
      button.setAttribute("aria-pressed", String(button.dataset.box === this.box));
      button.addEventListener("click", () => this.chooseBox(button.dataset.box));
    }
    $("table-toggle").addEventListener("click", () => {
      $("table").hidden = !$("table").hidden;
      $("table-toggle").setAttribute("aria-pressed", String(!$("table").hidden));
      this.table();
    });
    new ResizeObserver(() => this.draw()).observe($("over"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(true));
  }

  choose(range) {
    this.range = range;
    this.askedAt = -Infinity;
    for (const button of $("ranges").querySelectorAll("[data-range]")) button.setAttribute("aria-pressed", String(Number(button.dataset.range) === range));
    this.follow();
  }

  chooseBox(box) {
    this.box = box;
    choose("box", box === "node" ? box : "");
    for (const button of $("box-choice").querySelectorAll("[data-box]")) button.setAttribute("aria-pressed", String(button.dataset.box === box));
    this.choose(this.range);
  }

  /** What the server says of the range, when the last answer is old enough; null otherwise. */
  async follow() {
    if (performance.now() - this.askedAt < ASK_MS) return null;
    this.askedAt = performance.now();
    const since = this.range ? Math.round(this.feed.now()) - this.range : 0;
    const box = this.box;
    const told = await this.feed.ask(box === "node" ? `/api/memory_stats?box=node&range=${this.range}` : `/api/memory_stats?since=${since}&points=${POINTS}`);
    if (!told || box !== this.box) return null;
    this.told = told;
    this.draw(true);
    this.table();
    return box === "node" ? null : told;
  }

  draw(anew = false) {
    const box = $("over");
    if (!this.told || (!anew && this.charts.every((chart) => chart.width === box.clientWidth))) return;
    for (const chart of this.charts) chart.destroy();
    this.charts = [];
    const { time, figures } = this.told;
    $("over-empty").hidden = time.length > 1;
    text("over-empty", this.told.reason ? `${say.sentenceCase(this.told.reason)}.` : `Memory, processor, disk and cards are drawn here, a point every ten seconds, once a ${this.box} has run for a minute.`);
    const shown = time.length > 1 ? TRACKS.filter(([, , name]) => figures[name]?.last.some((value) => value !== null)) : [];
    text("over-summary", shown.map(([label, unit, name]) => summary(label, unit, figures[name])).join(" "));
    text("over-note", time.length > 1 ? `${say.whole(time.length)} points, ${say.clock(time[0], this.feed.now())} to ${say.clock(time.at(-1), this.feed.now())}` : "");
    const places = shown.map(([label, unit, name, , other]) => place(label, unit(figures[name].last.findLast((value) => value !== null) ?? null), unit(top(figures[name].max)), other));
    box.replaceChildren(...places.map(([whole]) => whole));
    const theme = colours();
    shown.forEach((track, at) => this.charts.push(chart(places[at][1], places[at][2], theme, track, this.told, at === shown.length - 1)));
  }

  table() {
    if (!this.told || $("table").hidden) return;
    const { time, figures } = this.told;
    const names = TRACKS.filter(([, , name]) => figures[name]?.last.some((value) => value !== null));
    const every = Math.max(1, Math.ceil(time.length / ROWS_SHOWN));
    const rows = time.map((at, index) => [at, index]).filter(([, index]) => index % every === 0).reverse();
    $("table").replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Time"), ...names.map(([label]) => el("th", { scope: "col" }, label)))),
      el("tbody", {}, ...rows.map(([at, index]) => el("tr", {}, el("th", { scope: "row" }, say.clock(at, this.feed.now())), ...names.map(([, unit, name]) => el("td", {}, unit(figures[name].last[index]))))))));
  }
}

const top = (values) => values.reduce((most, value) => (value !== null && (most === null || value > most) ? value : most), null);

function summary(label, unit, figure) {
  const known = figure.last.filter((value) => value !== null);
  const least = figure.min.filter((value) => value !== null).reduce((a, b) => Math.min(a, b), Infinity);
  return `${label}: ${unit(known.at(-1))} now, between ${unit(least)} and ${unit(top(figure.max))}.`;
}

function place(label, now, most, other) {
  const value = el("span", { class: "v" }, now);
  const plot = el("div", { class: "plot low", "aria-hidden": "true" });
  const keys = [el("span", { class: "key" }, el("i", { class: "k-band" }), `min to max, most ${most}`)];
  if (other) keys.push(el("span", { class: "key" }, el("i", { class: "k-thin" }), other));
  return [el("div", { class: "track" }, el("div", { class: "th" }, el("b", {}, label), value, ...keys), plot), plot, value];
}

function chart(box, value, theme, [, unit, name, other], { time, figures, events }, labelled) {
  const { min, max, last } = figures[name];
  const axis = { stroke: theme.ink3, font: '11px "Plex Sans", system-ui, sans-serif', ticks: { show: false }, grid: { stroke: theme.line, width: 1 } };
  const hidden = { stroke: "transparent", width: 0, points: { show: false } };
  const newest = value.textContent;
  return new uPlot({
    width: box.clientWidth, height: labelled ? TALL_PX + 22 : TALL_PX, padding: [8, 0, 0, 0], legend: { show: false },
    cursor: { sync: { key: "over" }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (u, low, high) => [0, (high ?? 1) * 1.1 || 1] } },
    axes: [
      { ...axis, space: 74, size: labelled ? 26 : 4, gap: 6, values: (u, splits, at, space, step) => splits.map((each) => (labelled ? say.tick(each, step) : "")) },
      { ...axis, side: 1, size: 62, gap: 8, space: 34, values: (u, splits) => splits.map((each) => unit(each)) },
    ],
    series: [{}, hidden, hidden, { stroke: theme.acc, width: 2, points: { show: false } }, { stroke: theme.ink3, width: 1, points: { show: false } }],
    bands: [{ series: [2, 1], fill: theme.soft }],
    hooks: {
      draw: [(u) => marks(u, theme, events)],
      setCursor: [(u) => { value.textContent = u.cursor.idx === null || u.cursor.idx === undefined ? newest : unit(last[u.cursor.idx]); }],
    },
  }, [time, min, max, last, other ? figures[other].last : time.map(() => null)], box);
}

/** An upright where memory ran out. What it was stands in words below the tracks. */
function marks(u, theme, events) {
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = theme.ink2;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const event of events) {
    const at = Math.round(u.valToPos(event.time, "x", true));
    if (at < u.bbox.left || at > u.bbox.left + u.bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(at, u.bbox.top);
    ctx.lineTo(at, u.bbox.top + u.bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
