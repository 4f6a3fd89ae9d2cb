// Numbers, times and sizes as words. What is not known is a dash, never a zero.

export const UNKNOWN = "–";

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export const whole = (value) => (known(value) ? Math.round(value).toLocaleString("en-US") : UNKNOWN);

/** A loss: four digits that mean something. */
export function loss(value) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
}

/** A loss where room is short: three digits. */
export const shortLoss = (value) => (known(value) ? value.toPrecision(Math.abs(value) < 0.1 ? 2 : 3) : UNKNOWN);

export const percent = (value, digits = 0) => (known(value) ? `${value.toFixed(digits)} %` : UNKNOWN);

/** A rate: 940, 12,840, 1.2 M. */
export function rate(value) {
  if (!known(value)) return UNKNOWN;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return value >= 10 ? whole(value) : value.toFixed(1);
}

export function bytes(value) {
  if (!known(value)) return UNKNOWN;
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(4, Math.floor(Math.log10(Math.max(1, value)) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(power > 1 && scaled < 100 ? 1 : 0)} ${units[power]}`;
}

/** 9 s, 12 min, 3 h 05, 2 d 4 h. */
export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")}`;
  const days = Math.floor(hours / 24);
  return `${days} d ${hours % 24} h`;
}

/** Two durations as a range; one when they read alike. */
export function range(low, high) {
  const [from, to] = [duration(low), duration(high)];
  if (from === to) return from;
  const unit = to.split(" ")[1];
  const alike = from.split(" ").length === 2 && to.split(" ").length === 2 && from.split(" ")[1] === unit;
  return alike ? `${from.split(" ")[0]} – ${to}` : `${from} – ${to}`;
}

const two = (value) => String(value).padStart(2, "0");

/** Wall time: 14:28; with the day when it is another one than today. */
export function clock(time, now = Date.now() / 1000) {
  if (!known(time)) return UNKNOWN;
  const date = new Date(time * 1000);
  const hours = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (Math.abs(now - time) < 18 * 3600) return hours;
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day} ${hours}`;
}

/** The first letter large: messages become sentences. */
export const sentenceCase = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** 2 s ago as "2 s"; the caller adds the word. */
export const ago = (time, now) => (known(time) ? duration(Math.max(0, now - time)) : UNKNOWN);

/** Labels of a time axis whose ticks are `step` seconds apart. */
export function tick(time, step) {
  const date = new Date(time * 1000);
  if (step >= 86400) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (date.getHours() + date.getMinutes() + date.getSeconds() === 0) {
    return date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric" });
  }
  const label = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return step < 60 ? `${label}:${two(date.getSeconds())}` : label;
}
