// Readings of the machine that trains: what is used, of how much.

import { $, el, text, whenChanged } from "./dom.js";
import * as say from "./format.js";

const WARM_SHARE = 0.92;

export function gauge(label, value, of, share, warnAt = WARM_SHARE) {
  const fill = el("i");
  fill.style.width = `${Math.min(100, 100 * (share ?? 0))}%`;
  const warn = share !== null && share > warnAt ? " warn" : "";
  return el("div", { class: "gauge" }, el("span", {}, label),
    el("div", {}, el("p", {}, el("b", {}, value), el("small", {}, of)), share === null ? null : el("div", { class: `rail2${warn}`, "aria-hidden": "true" }, fill)));
}

export const shareOf = (part, all) => (part === null || part === undefined || !all ? null : part / all);

export const showMachine = whenChanged(([status]) => {
  const system = status?.system ?? null;
  const box = $("machine");
  if (!system) {
    text("machine-note", "");
    box.replaceChildren(el("p", { class: "empty" }, "Processor, memory, disk and cards are read once a trainer runs. A card that does not answer is left out, never made up."));
    return;
  }
  text("machine-note", `${status.model_name ?? "model"}${status.parameters ? `, ${size(status.parameters)} parameters` : ""}${status.device ? ` on ${status.device}` : ""}`);
  const used = system.disk_total_bytes - system.disk_free_bytes;
  const worker = system.worker_memory_bytes ? `worker ${say.bytes(system.worker_memory_bytes)}, ` : "";
  box.replaceChildren(
    ...(status.gpu ?? []).flatMap(card),
    gauge("Processor", say.percent(system.cpu_percent), `${system.cpu_count} cores`, shareOf(system.cpu_percent, 100), 2),
    gauge("Memory", say.bytes(system.memory_used_bytes), `${worker}of ${say.bytes(system.memory_total_bytes)}`, shareOf(system.memory_used_bytes, system.memory_total_bytes)),
    gauge("Lab's disk", `${say.bytes(system.disk_free_bytes)} free`, `of ${say.bytes(system.disk_total_bytes)}`, shareOf(used, system.disk_total_bytes)),
    gauge("Step", say.duration(status.step_seconds) === "0 s" ? `${Math.round(1000 * status.step_seconds)} ms` : status.step_seconds === null ? say.UNKNOWN : `${status.step_seconds.toFixed(1)} s`, `budget ${say.whole(status.token_budget)} tokens, ${say.percent(status.padding_percent)} padding`, null),
    ...(status.energy_kwh === null ? [] : [gauge("Energy", `${status.energy_kwh.toFixed(2)} kWh`, status.tokens_per_joule === null ? "" : `${status.tokens_per_joule.toFixed(1)} tokens a joule`, null)]));
});

const size = (count) => (count >= 1e9 ? `${(count / 1e9).toFixed(1)} B` : `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} M`);

export function card(one) {
  const memory = shareOf(one.memory_used_bytes, one.memory_total_bytes);
  const heat = one.temperature_c === null ? "" : `${say.whole(one.temperature_c)} °C`;
  const power = one.power_w === null ? "" : `${say.whole(one.power_w)} W${one.power_limit_w ? ` of ${say.whole(one.power_limit_w)}` : ""}`;
  return [
    gauge(one.name, say.percent(one.busy_percent), [heat, power].filter(Boolean).join(", "), shareOf(one.busy_percent, 100), 2),
    gauge("Card memory", say.bytes(one.memory_used_bytes), `of ${say.bytes(one.memory_total_bytes)}`, memory, 0.97),
  ];
}
