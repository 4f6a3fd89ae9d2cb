// The curves: asks for the stretch shown, draws two tracks on one time axis with one cursor, a
// lane of events between them, and the same figures as a summary and a table.

import { $, el, icon, text } from "./dom.js";
import * as say from "./format.js";
import { eventColour, eventIcon } from "./panels.js";
import { colours, lossTrack, speedTrack } from "./tracks.js";

const METRICS = "loss,loss_smoothed,validation_loss,tokens_per_sec,supervised_per_sec";
const LANES = [["Checkpoint", "e-seal", ["sealed"]], ["Fault", "e-fault", null], ["File", "e-file", ["admitted", "file-over"]]];
const TABLE_ROWS = 24;
const GLYPH_PX = 13;
const GAP_S = 120;

export class Curves {
  constructor(feed) {
    this.feed = feed;
    this.range = 0;
    this.log = false;
    this.answer = null;
    this.events = [];
    this.status = null;
    this.askedStep = null;
    this.askedAt = -Infinity;
    this.index = null;
    this.charts = [];
    this.listen();
  }

  listen() {
    for (const button of $("ranges").querySelectorAll("[data-range]")) {
      button.addEventListener("click", () => {
        this.range = Number(button.dataset.range);
        for (const other of $("ranges").querySelectorAll("[data-range]")) other.setAttribute("aria-pressed", String(other === button));
        this.refresh();
      });
    }
    $("log").addEventListener("click", () => { this.log = !this.log; $("log").setAttribute("aria-pressed", String(this.log)); this.build(); });
    $("table-toggle").addEventListener("click", () => {
      $("table").hidden = !$("table").hidden;
      $("table-toggle").setAttribute("aria-pressed", String(!$("table").hidden));
      this.showTable();
    });
    $("plot-loss").addEventListener("keydown", (event) => this.key(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.resize()).observe($("plot-loss"));
  }

  /** A new status: ask again when training has moved on and the last answer is old enough. */
  follow(status) {
    this.status = status;
    const recorded = (status?.tokens_total ?? 0) > 0 && status.current_step !== null;
    document.body.dataset.data = recorded ? "full" : "empty";
    if (!recorded) return;
    const mark = `${status.current_step}-${status.validation_step}-${status.recent_events.at(-1)?.number}`;
    const pause = this.range > 86400 ? 30000 : this.range > 3600 ? 10000 : this.points() > 500 ? 5000 : 1500;
    if (mark !== this.askedStep && performance.now() - this.askedAt > pause) {
      this.askedStep = mark;
      this.refresh();
    }
  }

  points() {
    return this.answer?.time.length ?? 0;
  }

  async refresh() {
    this.askedAt = performance.now();
    const since = this.range ? `&since=${Math.floor(this.feed.now() - this.range)}` : "";
    const wanted = Math.max(120, Math.min(900, Math.round($("plot-loss").clientWidth / 1.5)));
    const newest = this.events.at(-1)?.number ?? 0;
    const [answer, fresh] = await Promise.all([
      this.feed.ask(`/api/history?metric=${METRICS}&points=${wanted}${since}`),
      this.feed.ask(`/api/events?after=${newest}`),
    ]);
    if (fresh) this.events.push(...fresh.events.filter((event) => event.number > newest));
    if (answer) this.answer = broken(answer);
    if (this.answer) this.draw();
  }

  lossData() {
    const { time, metrics: m } = this.answer;
    return [time, m.loss.min, m.loss.max, smoothed(m.loss.mean), m.validation_loss.last];
  }

  speedData() {
    const { time, metrics: m } = this.answer;
    return [time, m.tokens_per_sec.min, m.tokens_per_sec.max, m.tokens_per_sec.mean, m.supervised_per_sec.mean];
  }

  build() {
    for (const chart of this.charts) chart.destroy();
    this.charts = [];
    if (!this.answer || !$("plot-loss").clientWidth) return;
    const theme = colours();
    const floor = () => (this.status?.tokens_per_sec_baseline ? 0.6 * this.status.tokens_per_sec_baseline : null);
    const moved = (u) => this.moved(u.cursor.idx);
    this.charts = [
      lossTrack($("plot-loss"), theme, () => this.lossData(), this.log, moved, () => this.showLanes()),
      speedTrack($("plot-speed"), theme, () => this.speedData(), floor),
    ];
  }

  draw() {
    if (this.charts.length) {
      this.charts[0].setData(this.lossData());
      this.charts[1].setData(this.speedData());
    } else {
      this.build();
    }
    this.read(this.index);
    this.showSummary();
    this.showTable();
  }

  resize() {
    for (const [chart, id] of [[this.charts[0], "plot-loss"], [this.charts[1], "plot-speed"]]) {
      if (chart) chart.setSize({ width: $(id).clientWidth, height: $(id).clientHeight });
    }
    if (!this.charts.length) this.build();
  }

  moved(index) {
    this.index = index ?? null;
    if (this.answer) this.read(this.index);
  }

  /** Figures at a bucket, or the newest ones. */
  read(index) {
    const { time, step, metrics: m } = this.answer;
    const at = index === null ? lastKnown(m.loss_smoothed.last) : index;
    if (at === null) return;
    text("v-loss", say.loss(index === null ? m.loss_smoothed.last[at] : (m.loss.mean[at] ?? m.loss_smoothed.last[at])));
    text("v-band", m.loss.min[at] === null ? "" : `${say.shortLoss(m.loss.min[at])}–${say.shortLoss(m.loss.max[at])}`);
    const checked = m.validation_loss.last.slice(0, at + 1).findLast((value) => value !== null);
    text("v-validation", checked === undefined ? "" : say.loss(checked));
    text("v-speed", say.rate(m.tokens_per_sec.mean[at]));
    text("v-supervised", say.rate(m.supervised_per_sec.mean[at]));
    text("v-when", index === null ? "" : `${say.clock(time[at], this.feed.now())}, step ${say.whole(step[at])}`);
    const slider = $("plot-loss");
    slider.setAttribute("aria-valuemax", String(time.length - 1));
    slider.setAttribute("aria-valuenow", String(at));
    slider.setAttribute("aria-valuetext", `${say.clock(time[at], this.feed.now())}, step ${step[at]}, loss ${say.loss(m.loss_smoothed.last[at])}`);
    this.readEvent(index === null ? null : time[at]);
  }

  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -1e9, End: 1e9 };
    if (!this.charts.length || !(event.key in moves || event.key === "Escape")) return;
    event.preventDefault();
    const last = this.points() - 1;
    const at = event.key === "Escape" ? null : Math.max(0, Math.min(last, (this.index ?? last) + moves[event.key]));
    const left = at === null ? -10 : this.charts[0].valToPos(this.answer.time[at], "x");
    for (const chart of this.charts) chart.setCursor({ left, top: at === null ? -10 : 1 }, false);
    this.moved(at);
  }

  showLanes() {
    const chart = this.charts[0];
    if (!chart || chart.scales.x.min === null) return;
    const { min, max } = chart.scales.x;
    const width = chart.bbox.width / devicePixelRatio;
    const inside = this.events.filter((event) => event.time >= min && event.time <= max);
    $("lanes").replaceChildren(...LANES.map(([name, shape, kinds]) => {
      const mine = inside.filter((event) => (kinds ? kinds.includes(event.kind) : event.level !== "INFO"));
      const track = el("div", { class: "lane-p" });
      let lastLeft = -Infinity;
      for (const event of mine) {
        const left = chart.valToPos(event.time, "x");
        if (left - lastLeft < GLYPH_PX && !eventColour(event)) continue;
        lastLeft = left;
        const glyph = icon(kinds ? shape : eventIcon(event), eventColour(event));
        glyph.style.left = `${Math.min(left, width - GLYPH_PX / 2)}px`;
        track.append(glyph);
      }
      return el("div", { class: "lane" }, el("div", { class: "lane-h" }, icon(shape), el("span", {}, name)), track);
    }));
    this.readEvent(null);
  }

  readEvent(time) {
    const told = this.events.filter((event) => event.kind !== "ready");
    const chart = this.charts[0];
    const near = chart ? ((chart.scales.x.max - chart.scales.x.min) / Math.max(1, chart.bbox.width / devicePixelRatio)) * 9 : 1;
    const event = time === null ? told.at(-1) : told.filter((one) => Math.abs(one.time - time) < near).at(-1);
    const when = (one) => el("span", { class: "t3" }, `${time === null ? "Latest, " : ""}${say.clock(one.time, this.feed.now())}`);
    $("event-read").replaceChildren(...(event ? [when(event), " ", event.text] : [el("span", { class: "t3" }, "No event here")]));
  }

  showSummary() {
    const { time, step, metrics: m } = this.answer;
    const [from, to] = [m.loss_smoothed.last.find((v) => v !== null), m.loss_smoothed.last.findLast((v) => v !== null)];
    const steps = (step.at(-1) ?? 0) - (this.answer.first[0] ?? 0) + 1;
    const span = say.duration((time.at(-1) ?? 0) - (time[0] ?? 0));
    text("curves-note", `${span}, ${say.whole(steps)} steps`);
    const known = (values) => values.filter((value) => value !== null);
    const [low, high] = [Math.min(...known(m.loss.min)), Math.max(...known(m.loss.max))];
    text("curves-summary", `Over ${span} and ${steps} steps the smoothed loss went from ${say.loss(from)} to ${say.loss(to)}; single steps lay between ${say.loss(low)} and ${say.loss(high)}. Arrow keys move the cursor.`);
  }

  showTable() {
    if ($("table").hidden || !this.answer) return;
    const { time, step, metrics: m } = this.answer;
    const every = Math.max(1, Math.ceil(time.length / TABLE_ROWS));
    const rows = [];
    for (let at = time.length - 1; at >= 0; at -= every) {
      const cells = [say.whole(step[at]), say.loss(m.loss_smoothed.last[at]), say.loss(m.loss.min[at]), say.loss(m.loss.max[at]), say.loss(m.validation_loss.last[at]), say.rate(m.tokens_per_sec.mean[at])];
      rows.push(el("tr", {}, el("th", { scope: "row" }, say.clock(time[at], this.feed.now())), ...cells.map((cell) => el("td", {}, cell))));
    }
    const head = ["Time", "Step", "Loss, smoothed", "Least", "Most", "Validation", "Tokens/s"].map((name) => el("th", { scope: "col" }, name));
    $("table").replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
  }
}

const lastKnown = (values) => { const at = values.findLastIndex((value) => value !== null); return at < 0 ? null : at; };

/** Bucket means under a centred bell of about a fiftieth of the stretch: smooth, without lag. */
function smoothed(means) {
  const reach = Math.max(1, Math.round(means.length / 100));
  const bell = Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-2 * ((at - reach) / reach) ** 2));
  return means.map((mean, at) => {
    if (mean === null) return null;
    let [total, weight] = [0, 0];
    for (let near = Math.max(0, at - reach); near <= Math.min(means.length - 1, at + reach); near += 1) {
      if (means[near] === null) continue;
      total += means[near] * bell[near - at + reach];
      weight += bell[near - at + reach];
    }
    return total / weight;
  });
}

/** The answer with an empty bucket wherever nothing was trained for long, so lines break there. */
function broken(answer) {
  const { time } = answer;
  const typical = time.length > 1 ? (time.at(-1) - time[0]) / time.length : 0;
  const cuts = new Set();
  for (let at = 1; at < time.length; at += 1) if (time[at] - time[at - 1] > Math.max(GAP_S, 8 * typical)) cuts.add(at);
  if (!cuts.size) return answer;
  const spread = (values, fill) => values.flatMap((value, at) => (cuts.has(at) ? [fill(at), value] : [value]));
  const metrics = Object.fromEntries(Object.entries(answer.metrics).map(([name, column]) => [name,
    Object.fromEntries(Object.entries(column).map(([kind, values]) => [kind, spread(values, () => null)]))]));
  return { ...answer, metrics, time: spread(time, (at) => time[at - 1] + 1), step: spread(answer.step, (at) => answer.step[at - 1]), first: spread(answer.first, (at) => answer.first[at - 1]) };
}
