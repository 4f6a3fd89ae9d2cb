// How the two tracks are drawn: a min-max band, lines over it, validation points, and a mark with
// its value for each spike that is off the scale. uPlot does the drawing; this says what.

import uPlot from "./vendor/uplot/uPlot.min.js";
import * as say from "./format.js";

const AXIS_PX = 44;
const ON_SCALE = 0.985;
const SPIKES_MAX = 4;
const SPIKE_ROOM_PX = 56;
const DRAG_PX = 8;

/** The colours of the theme in force. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ink: of("ink"), ink2: of("ink2"), ink3: of("ink3"), line: of("line"), acc: of("acc"), soft: of("acc-soft"), bg: of("bg") };
}

const present = (values) => values.filter((value) => value !== null && Number.isFinite(value));

/** The vertical range of the loss: all but the rarest spikes, validation included. */
export function lossRange(low, high, points) {
  const tops = present(high).sort((a, b) => a - b);
  if (!tops.length) return [0, 1];
  const top = Math.max(tops[Math.floor((tops.length - 1) * ON_SCALE)], ...present(points));
  const bottom = Math.min(...present(low), ...present(points));
  const room = Math.max((top - bottom) * 0.08, Math.abs(top) * 0.02, 1e-6);
  return [Math.max(0, bottom - room), top + room];
}

/** Labels of the time axis; one that the left edge would cut is left out. */
const times = (u, splits, axis, space, step) => splits.map((at) => (u.valToPos(at, "x") < 18 ? "" : say.tick(at, step)));

/** One time axis serves both tracks: the upper one draws its grid only. */
function axes(theme, values, labelled) {
  const common = { stroke: theme.ink3, font: '11px "Plex Sans", system-ui, sans-serif', ticks: { show: false }, grid: { stroke: theme.line, width: 1 } };
  return [
    { ...common, space: 74, size: labelled ? 26 : 6, gap: 6, values: labelled ? times : (u, splits) => splits.map(() => "") },
    { ...common, side: 1, size: AXIS_PX, gap: 8, space: labelled ? 30 : 44, values },
  ];
}

function base(theme, width, height, hooks, scale, onSelect) {
  return {
    width, height, padding: [10, 0, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "tracks", setSeries: false }, drag: { x: true, y: false, setScale: false, dist: DRAG_PX }, y: false, points: { size: 7, width: 1.5, fill: theme.bg } },
    scales: { x: { time: true }, y: scale },
    hooks: { ...hooks, setSelect: [(u) => selected(u, onSelect)] },
  };
}

/** The stretch that was dragged over, as indexes of the data; the mark is taken away again. */
function selected(u, onSelect) {
  const { left, width } = u.select;
  if (width < DRAG_PX) return;
  u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  onSelect(u.posToIdx(left), u.posToIdx(left + width));
}

const hidden = { stroke: "transparent", width: 0, points: { show: false } };

/** Rounded to the figure's own size, for an axis. */
const lossTick = (u, splits) => splits.map((value) => (value === null ? "" : value >= 10 ? value.toFixed(0) : value.toFixed(2)));
const rateTick = (u, splits) => splits.map((value) => (value === null ? "" : value >= 1000 ? `${value / 1000} k` : String(value)));

/** Data: [time, min, max, smoothed, validation]. */
export function lossTrack(box, theme, data, log, onCursor, onDrawn, onSelect) {
  const range = () => {
    const [bottom, top] = lossRange(data()[1], data()[2], data()[4]);
    return log ? [Math.max(1e-4, bottom * 0.95 || 1e-3), top] : [bottom, top];
  };
  const few = (u) => u.data[0].length < 40;
  const options = {
    ...base(theme, box.clientWidth, box.clientHeight, {
      setCursor: [onCursor], draw: [(u) => drawSpikes(u, theme), onDrawn],
    }, { range, distr: log ? 3 : 1 }, onSelect),
    axes: axes(theme, log ? (u, splits) => splits.map((v) => (v === null ? "" : String(+v.toPrecision(2)))) : lossTick, false),
    bands: [{ series: [2, 1], fill: theme.soft }],
    series: [
      {}, { ...hidden }, { ...hidden },
      { stroke: theme.acc, width: 2, points: { show: few, size: 5, fill: theme.acc } },
      { stroke: theme.ink, width: 0, paths: () => null, points: { show: true, size: 6, width: 1.3, stroke: theme.ink, fill: theme.bg } },
    ],
  };
  return new uPlot(options, data(), box);
}

/** Data: [time, min, max, tokens, supervised]; `floor` gives the alert line, or null. */
export function speedTrack(box, theme, data, floor, onSelect) {
  const range = (u, low, high) => [0, Math.max(1, high ?? 1) * 1.12];
  const options = {
    ...base(theme, box.clientWidth, box.clientHeight, { draw: [(u) => drawFloor(u, theme, floor())] }, { range }, onSelect),
    axes: axes(theme, rateTick, true),
    bands: [{ series: [2, 1], fill: theme.soft }],
    series: [
      {}, { ...hidden }, { ...hidden },
      { stroke: theme.acc, width: 1.4, points: { show: false } },
      { stroke: theme.ink2, width: 1.1, points: { show: false } },
    ],
  };
  return new uPlot(options, data(), box);
}

/** A mark and the value for the tallest spikes that the scale leaves out. */
function drawSpikes(u, theme) {
  const top = u.scales.y.max;
  const beyond = [];
  u.data[2].forEach((value, index) => { if (value !== null && value > top) beyond.push(index); });
  beyond.sort((a, b) => u.data[2][b] - u.data[2][a]);
  const { ctx } = u;
  const unit = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = theme.ink;
  ctx.font = `${11 * unit}px "Plex Sans", system-ui, sans-serif`;
  const marked = [];
  for (const index of beyond) {
    const x = u.valToPos(u.data[0][index], "x", true);
    if (marked.length === SPIKES_MAX) break;
    if (marked.some((other) => Math.abs(other - x) < SPIKE_ROOM_PX * unit)) continue;
    marked.push(x);
    const y = u.bbox.top + 2 * unit;
    ctx.beginPath();
    ctx.moveTo(x - 4 * unit, y + 7 * unit);
    ctx.lineTo(x, y);
    ctx.lineTo(x + 4 * unit, y + 7 * unit);
    ctx.fill();
    const left = x > u.bbox.left + 60 * unit;
    ctx.textAlign = left ? "right" : "left";
    ctx.fillText(say.loss(u.data[2][index]), x + (left ? -8 : 8) * unit, y + 8 * unit);
  }
  ctx.restore();
}

function drawFloor(u, theme, value) {
  if (value === null || value > u.scales.y.max) return;
  const y = u.valToPos(value, "y", true);
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = theme.ink3;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(u.bbox.left, y);
  ctx.lineTo(u.bbox.left + u.bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
