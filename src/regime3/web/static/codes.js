// The codebook: each code, what it stands for, where it may stand, and how often it was used.

import { $, el, text, whenChanged } from "./dom.js";
import * as say from "./format.js";
import { choose, chosen } from "./place.js";

const ORDER = { code: (a, b) => (a.code < b.code ? -1 : 1), used: (a, b) => b.used - a.used || (a.code < b.code ? -1 : 1) };

export class Codes {
  constructor() {
    this.told = null;
    this.order = "used";
    this.find = $("codebook-find");
    this.find.value = chosen("code");
    this.show = whenChanged(([told, words, order]) => this.table(told, words, order));
    this.find.addEventListener("input", () => { choose("code", this.find.value); this.draw(); });
  }

  take(told) {
    this.told = told;
    this.draw();
  }

  draw() {
    if (this.told) this.show([this.told, this.find.value.trim().toLowerCase(), this.order]);
  }

  table(told, words, order) {
    const { packed } = told;
    const found = told.codes.filter((one) => !words || [one.code, one.name, one.expansion, one.type].some((part) => part.toLowerCase().includes(words))).sort(ORDER[order]);
    const short = packed.codes ? `; ${told.used_by} wrote ${say.whole(packed.codes)} codes where S-expressions have ${say.whole(packed.symbols)} symbols` : "";
    text("codebook-note", `${told.codebook.slice(0, 12)}, ${told.version}, ${say.whole(found.length)} of ${say.whole(told.codes.length)} codes${short}`);
    const sortable = (name, key) => el("th", { scope: "col", "aria-sort": order === key ? (key === "used" ? "descending" : "ascending") : "none" }, el("button", { type: "button", class: "link", onclick: () => { this.order = key; this.draw(); } }, name));
    const head = el("tr", {}, sortable("Code", "code"), sortable("Used", "used"), ...["Spared", "Name", "Stands for", "Type"].map((name) => el("th", { scope: "col" }, name)));
    const rows = found.map((one) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, one.code)), el("td", {}, say.whole(one.used)), el("td", {}, one.saved ? say.whole(one.saved) : ""), el("td", {}, one.name), el("td", {}, el("code", {}, one.expansion)), el("td", { class: "t2" }, one.type)));
    $("codebook").replaceChildren(el("table", { class: "codes" }, el("thead", {}, head), el("tbody", {}, ...rows)));
    if (!found.length) $("codebook").replaceChildren(el("p", { class: "empty" }, "No code has that in it."));
  }
}
