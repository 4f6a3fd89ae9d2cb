// The page of memory and system: both boxes now, and either over time.

import { $, el, icon, text, whenChanged } from "./dom.js";
import { openPage } from "./frame.js";
import * as say from "./format.js";
import { card, gauge, shareOf } from "./machine.js";
import { Over } from "./over.js";

const ASK_MS = 4000;
const NODE_CARD = (one) => card({ ...one, name: one.simulated ? `${one.name} (simulated)` : one.name });

let askedAt = -Infinity;
const feed = openPage(show);
const over = new Over(feed);

async function show(live, feed, state) {
  if (performance.now() - askedAt < ASK_MS) return;
  askedAt = performance.now();
  const [system, cards] = await Promise.all([feed.ask("/api/system"), feed.ask("/api/gpu_stats")]);
  if (system && cards) {
    showTrainer([system.trainer, cards.trainer, state]);
    showNode([system.node, cards.node]);
  }
  const told = await over.follow();
  if (told) showRanOut([told.events, told.out_of_memory_total, told.token_budget]);
}

const showTrainer = whenChanged(([box, cards, state]) => {
  text("trainer-note", box.at === null ? "" : state === "alive" ? "" : `as of ${say.clock(box.at, feed.now())}`);
  fill("trainer", box.system ? [...(cards.gpu ?? []).flatMap(card), ...machine(box.system, worker(box.system))] : null,
    box.reason ? `${say.sentenceCase(box.reason)}.` : "Processor, memory, disk and cards are read once a trainer runs.", cards.gpu === null && box.system ? "No card answers; training runs on the processor." : "");
});

const showNode = whenChanged(([box, cards]) => {
  text("node-note", box.at === null ? "" : `as of ${say.clock(box.at, feed.now())}`);
  const found = box.system ? [...(cards.gpu?.cards ?? []).flatMap(NODE_CARD), ...machine(box.system, processes(box.system))] : null;
  fill("node", found, `${say.sentenceCase(box.reason ?? "The node has not been asked yet")}.`, found && !cards.gpu?.cards ? say.sentenceCase(cards.gpu?.reason ?? "") : "");
});

const worker = (system) => (system.worker_memory_bytes ? `worker ${say.bytes(system.worker_memory_bytes)}` : "no worker");
const processes = (system) => (system.processes ?? []).filter((one) => one.role !== "other").map((one) => `${one.role} ${say.bytes(one.memory_bytes)}`).join(", ");

function machine(system, owners) {
  const used = system.disk_total_bytes - system.disk_free_bytes;
  return [
    gauge("Processor", say.percent(system.cpu_percent), `${system.cpu_count} cores`, shareOf(system.cpu_percent, 100), 2),
    gauge("Memory", say.bytes(system.memory_used_bytes), `${owners ? `${owners}, ` : ""}of ${say.bytes(system.memory_total_bytes)}`, shareOf(system.memory_used_bytes, system.memory_total_bytes)),
    gauge("Disk", `${say.bytes(system.disk_free_bytes)} free`, `of ${say.bytes(system.disk_total_bytes)}`, shareOf(used, system.disk_total_bytes)),
  ];
}

function fill(id, gauges, empty, remark) {
  const quiet = remark ? [el("p", { class: "t2 small" }, remark)] : [];
  $(id).replaceChildren(...(gauges ? [...gauges, ...quiet] : [el("p", { class: "empty shown" }, empty)]));
}

const showRanOut = whenChanged(([events, total, budget]) => {
  text("ran-out-note", budget === null ? "" : `${say.whole(total)} times in all; a slice holds ${say.whole(budget)} tokens now`);
  const items = events.slice(-12).reverse().map((one) => el("li", {}, icon("e-fault", "warn"), el("span", {}, one.text), el("span", { class: "when" }, say.clock(one.time, feed.now()))));
  const none = el("li", {}, icon("tick", "t3"), el("span", { class: "t2" }, "Nothing has run out of memory in this time. When it does, the slice gets smaller, and it is told here."));
  $("ran-out").replaceChildren(...(items.length ? items : [none]));
});

feed.start();
