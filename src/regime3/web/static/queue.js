// The queue on a clock: three lanes, the files in the order they train, and the books.

import { actButton } from "./control.js";
import { $, el, text, whenChanged } from "./dom.js";
import * as say from "./format.js";

const LANES = ["high", "normal", "low"];
const LISTED = 8;

export const showQueue = whenChanged(([queue, velocity, alive, timestamp]) => {
  const box = $("queue");
  if (!queue || !queue.rows_admitted) {
    text("queue-note", "");
    const waiting = queue?.inbox_waiting ? ` ${say.whole(queue.inbox_waiting)} are in inbox/ and not yet whole.` : "";
    box.replaceChildren(el("p", { class: "empty" }, "Drop .jsonl files into ", el("code", {}, "inbox/"), ", or run: ", el("code", {}, "r3 add FILE"), `. They stand here in the order they will train.${waiting}`));
    return;
  }
  const files = queue.files;
  text("queue-note", `${say.whole(queue.files_open)} ${queue.files_open === 1 ? "file" : "files"}, ${say.whole(queue.rows_left)} rows left`);
  const perSecond = alive && velocity ? velocity / 3600 : null;
  const placed = place(files);
  const parts = [];
  if (placed.length) parts.push(...lanes(placed, queue, perSecond, timestamp), table(placed, queue, perSecond, timestamp));
  else parts.push(el("p", { class: "empty" }, "Everything admitted is trained. Drop files into ", el("code", {}, "inbox/"), " to go on."));
  parts.push(books(queue));
  box.replaceChildren(...parts);
});

/** Files with the rows that train before them. */
function place(files) {
  let before = 0;
  return files.map((file, index) => {
    const left = file.rows - file.position;
    const placed = { file, index, before, left };
    before += left;
    return placed;
  });
}

function lanes(placed, queue, perSecond, timestamp) {
  const total = Math.max(1, queue.rows_left);
  const rows = LANES.map((lane) => {
    const mine = placed.filter((item) => item.file.lane === lane);
    const track = el("div", { class: "lp" }, ...mine.map((item) => {
      const job = el("span", { class: item.index === 0 ? "job on" : "job", title: item.file.name }, `${item.index + 1} ${item.file.name}`);
      job.style.left = `${(100 * item.before) / total}%`;
      job.style.width = `calc(${(100 * item.left) / total}% - 2px)`;
      return job;
    }));
    const name = lane[0].toUpperCase() + lane.slice(1);
    return el("div", { class: "ql", "aria-hidden": "true" }, el("span", { class: "lh" }, name, " ", el("span", {}, mine.length ? String(mine.length) : "")), track);
  });
  const at = (share) => (perSecond ? say.clock(timestamp + (share * queue.rows_left) / perSecond) : `${say.whole(share * queue.rows_left)} rows`);
  const scale = el("div", { class: "qscale", "aria-hidden": "true" }, el("span", {}, "now"), ...[0.25, 0.5, 0.75, 1].map((share) => el("span", {}, (share === 1 ? "dry " : "") + at(share))));
  return [...rows, scale];
}

function table(placed, queue, perSecond, timestamp) {
  const head = el("thead", {}, el("tr", {}, el("th", { colspan: "2" }, "In the order they train"), el("th", { class: "r lane-col" }, "Lane"), el("th", { class: "r" }, "Rows left"), el("th", { class: "r" }, "Starts")));
  const rows = placed.slice(0, LISTED).map(({ file, index, before, left }) => {
    const name = el("td", {}, el("b", {}, file.name), file.position ? el("span", { class: "t3" }, ` row ${say.whole(file.position)} of ${say.whole(file.rows)}`) : "");
    if (file.passes > 1) name.append(el("span", { class: "t3" }, `, pass ${file.pass_number} of ${file.passes}`));
    name.append(" ", actButton("Skip", { verb: "skip", id: file.id }, file.name));
    if (file.position) name.append(progressBar(file));
    const starts = index === 0 ? "now" : perSecond ? say.clock(timestamp + before / perSecond) : say.UNKNOWN;
    return el("tr", {}, el("td", { class: "n" }, String(index + 1)), name, el("td", { class: "r t3 lane-col" }, file.lane), el("td", { class: "r" }, say.whole(left)), el("td", { class: "r" }, starts));
  });
  const more = queue.files_open - rows.length;
  if (more > 0) rows.push(el("tr", {}, el("td"), el("td", { class: "t3", colspan: "4" }, `and ${say.whole(more)} more`)));
  return el("table", { class: "qtab" }, head, el("tbody", {}, ...rows));
}

function progressBar(file) {
  const fill = el("i");
  fill.style.width = `${(100 * file.position) / Math.max(1, file.rows)}%`;
  return el("span", { class: "bar2", role: "img", "aria-label": `${Math.round((100 * file.position) / Math.max(1, file.rows))} percent trained` }, fill);
}

function books(queue) {
  const items = [
    ["rows_admitted", "rows admitted"], ["rows_trained", "trained"], ["rows_buried", "buried"],
    ["rows_set_aside", "set aside"], ["rows_left", "left"],
  ].filter(([name]) => queue[name] || name !== "rows_set_aside");
  return el("p", { class: "books" }, ...items.map(([name, word]) => el("span", {}, el("b", {}, say.whole(queue[name])), ` ${word}`)));
}
