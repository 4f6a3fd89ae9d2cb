// The curves: asks for the stretch shown, draws two tracks on one time axis with one cursor, a
// lane of events between them, and the same figures as a summary and a table.

import { $, el, icon, text } from "./dom.js";
import * as say from "./format.js";
import { VERDICT, verdictText } from "./loop.js";
import { choose, chosen } from "./place.js";
import { eventColour, eventIcon } from "./panels.js";
import { broken, smoothed } from "./series.js";
import { colours, lossTrack, speedTrack } from "./tracks.js";

// Of each what is drawn, and no more: it is the largest part of what goes over the wire.
const METRICS = "loss:min:max:mean,loss_smoothed:last,validation_loss:last,tokens_per_sec:min:max:mean,supervised_per_sec:mean";
const LANES = [["Checkpoint", "e-seal", ["sealed"]], ["Fault", "e-fault", null], ["File", "e-file", ["admitted", "file-over"]], ["Verdict", "e-verdict", ["verdict"]], ["Power", "e-power", ["power"]]];
const TABLE_ROWS = 24;
const GLYPH_PX = 13;

export class Curves {
  constructor(feed) {
    this.feed = feed;
    const [first, last] = chosen("steps").split("-").map(Number);
    this.zoom = first >= 0 && last > first ? { first, last } : null;
    this.range = Number(chosen("range")) || 0;
    this.log = false;
    this.answer = null;
    this.events = [];
    this.verdicts = [];
    this.power = [];
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
        choose("range", this.range ? String(this.range) : "");
        this.show(null);
      });
    }
    this.pressed();
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

  /** Steps `first` to `last`, or all of the chosen range for null; kept in the address. */
  show(zoom) {
    this.zoom = zoom;
    choose("steps", zoom ? `${zoom.first}-${zoom.last}` : "");
    this.pressed();
    this.moved(null);
    this.refresh();
  }

  pressed() {
    for (const button of $("ranges").querySelectorAll("[data-range]")) button.setAttribute("aria-pressed", String(!this.zoom && Number(button.dataset.range) === this.range));
  }

  /** The stretch between two points of what is drawn. */
  select(from, to) {
    const { first, step } = this.answer;
    if (step[to] > first[from]) this.show({ first: first[from], last: step[to] });
  }

  /** Half as much around the cursor, or twice as much. */
  scale(factor) {
    const { first, step } = this.answer;
    const [low, high] = [first[0], step.at(-1)];
    const middle = this.index === null ? (low + high) / 2 : step[this.index];
    const reach = Math.max(5, (factor * (high - low)) / 2);
    const from = Math.max(0, Math.round(middle - reach));
    const to = Math.round(middle + reach);
    this.show(from === 0 && to >= (this.status?.current_step ?? to) ? null : { first: from, last: to });
  }

  /** The query of what is shown, as the server understands it. */
  stretch() {
    if (this.zoom) return `&first=${this.zoom.first}&last=${this.zoom.last}`;
    return this.range ? `&since=${Math.floor(this.feed.now() - this.range)}` : "";
  }

  /** A new status: ask again when training has moved on and the last answer is old enough. */
  follow(status) {
    this.status = status;
    const recorded = (status?.tokens_total ?? 0) > 0 && status.current_step !== null;
    document.body.dataset.data = recorded ? "full" : "empty";
    if (!recorded) return;
    const settled = this.zoom && this.points() && this.zoom.last < status.current_step;
    const mark = settled ? `${this.zoom.first}-${this.zoom.last}` : `${status.current_step}-${status.validation_step}-${status.recent_events.at(-1)?.number}`;
    const pause = this.range > 86400 ? 30000 : this.range > 3600 ? 10000 : this.points() > 500 ? 5000 : 1500;
    if (mark !== this.askedStep && performance.now() - this.askedAt > pause) {
      this.askedStep = mark;
      this.refresh();
    }
  }

  /** Verdicts of the judge, as events; they come from another file than the trainer's events. */
  judged(verdicts) {
    this.verdicts = verdicts.map((one) => ({ kind: "verdict", level: "INFO", time: one.at, word: one.word, text: verdictText(one) }));
    if (this.charts.length) this.showLanes();
  }

  /** Changes of the node's power, as events; they come from the node. */
  powered(changes) {
    this.power = changes.map((one) => ({ kind: "power", level: "INFO", time: one.at, text: one.text }));
    if (this.charts.length) this.showLanes();
  }

  points() {
    return this.answer?.time.length ?? 0;
  }

  async refresh() {
    this.askedAt = performance.now();
    const wanted = Math.max(120, Math.min(900, Math.round($("plot-loss").clientWidth / 1.5)));
    const newest = this.events.at(-1)?.number ?? 0;
    const [answer, fresh] = await Promise.all([
      this.feed.ask(`/api/history?metric=${METRICS}&points=${wanted}${this.stretch()}`),
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
    const select = (from, to) => this.select(from, to);
    this.charts = [
      lossTrack($("plot-loss"), theme, () => this.lossData(), this.log, moved, () => this.showLanes(), select),
      speedTrack($("plot-speed"), theme, () => this.speedData(), floor, select),
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
    const scales = { "+": 0.5, "=": 0.5, "-": 2 };
    if (this.charts.length && event.key in scales) {
      event.preventDefault();
      this.scale(scales[event.key]);
      return;
    }
    if (event.key === "0") this.show(null);
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
    const inside = [...this.events, ...this.verdicts, ...this.power].filter((event) => event.time >= min && event.time <= max);
    $("lanes").replaceChildren(...LANES.filter(([name]) => name !== "Power" || this.power.length).map(([name, shape, kinds]) => {
      const mine = inside.filter((event) => (kinds ? kinds.includes(event.kind) : event.level !== "INFO"));
      const track = el("div", { class: "lane-p" });
      let lastLeft = -Infinity;
      for (const event of mine) {
        const left = chart.valToPos(event.time, "x");
        if (left - lastLeft < GLYPH_PX && !eventColour(event) && event.word !== "promote") continue;
        lastLeft = left;
        const glyph = event.word ? icon(...VERDICT[event.word]) : icon(kinds ? shape : eventIcon(event), eventColour(event));
        glyph.style.left = `${Math.min(left, width - GLYPH_PX / 2)}px`;
        track.append(glyph);
      }
      return el("div", { class: "lane" }, el("div", { class: "lane-h" }, icon(shape), el("span", {}, name)), track);
    }));
    this.readEvent(null);
  }

  readEvent(time) {
    const told = [...this.events.filter((event) => event.kind !== "ready"), ...this.verdicts, ...this.power].sort((a, b) => a.time - b.time);
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
    text("curves-summary", `Over ${span} and ${steps} steps the smoothed loss went from ${say.loss(from)} to ${say.loss(to)}; single steps lay between ${say.loss(low)} and ${say.loss(high)}. Arrow keys move the cursor, + and - zoom, 0 shows all.`);
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
