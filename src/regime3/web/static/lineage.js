// A walk through lineage: from a checkpoint to its rows, from a row to who learned it, and back.

import { $, el, icon } from "./dom.js";
import * as say from "./format.js";
import { VERDICT, WORD } from "./loop.js";
import { choose, chosen } from "./place.js";

const WAIT_MS = 400;
const NUMBERS_SHOWN = 12;

export class Lineage {
  constructor(feed) {
    this.feed = feed;
    this.field = $("lineage-of");
    this.timer = 0;
    this.field.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(this.field.value.trim()), WAIT_MS);
    });
  }

  start() {
    this.field.value = chosen("of");
    this.ask(this.field.value);
  }

  /** Shown, and brought into sight. */
  go(what) {
    this.field.value = what;
    this.ask(what);
    $("h-lineage").scrollIntoView({ block: "start" });
    this.field.focus({ preventScroll: true });
  }

  async ask(what) {
    choose("of", what);
    if (!what) {
      this.put(el("p", { class: "empty" }, "Where an answer comes from: the checkpoint that gave it, the shards and rows that taught it, the problems they were made of, and what was said of it."));
      return;
    }
    let told;
    try {
      const answer = await fetch(`/api/lab/lineage?of=${encodeURIComponent(what)}`, { signal: AbortSignal.timeout(15000) });
      told = await answer.json();
    } catch {
      told = { error: "no answer came", next: "try again" };
    }
    if (this.field.value.trim() !== what) return; // another one was asked meanwhile
    if (told.error) this.put(el("p", { class: "warn", role: "status" }, `${say.sentenceCase(told.error)}.`, told.next ? el("span", { class: "t2" }, " Next: ", el("code", {}, told.next)) : ""));
    else this.put(...(told.checkpoint ? this.checkpoint(told) : this.row(told)));
  }

  put(...parts) {
    $("lineage").replaceChildren(...parts);
  }

  link(what, word = String(what)) {
    return el("button", { type: "button", class: "link", onclick: () => this.go(String(what)) }, word);
  }

  numbers(list) {
    const shown = list.length > NUMBERS_SHOWN ? [...list.slice(0, NUMBERS_SHOWN - 1), null, list.at(-1)] : list;
    return shown.flatMap((number, at) => [at ? ", " : "", number === null ? "…" : this.link(number)]);
  }

  checkpoint({ answer, checkpoint, trained, verdicts }) {
    const facts = [
      ["Checkpoint", [`${checkpoint.number}, step ${say.whole(checkpoint.step)}`]],
      ...(answer ? [["Answered as", [el("code", {}, answer.model)]]] : []),
      ...(checkpoint.rolled_back_from === null ? [] : [["Went back from", [this.link(checkpoint.rolled_back_from)]]]),
      ["Made from", checkpoint.ancestors.length ? this.numbers(checkpoint.ancestors) : ["the weights that the lab was founded with"]],
      ["Led to", checkpoint.children.length ? this.numbers(checkpoint.children) : ["nothing yet"]],
    ];
    const rows = trained.map((one) => el("tr", {},
      el("th", { scope: "row" }, one.file ? this.link(`${one.file}:1`, one.file) : one.id),
      el("td", {}, `${say.whole(one.first)} to ${say.whole(one.stop - 1)}`),
      el("td", {}, ...(one.forge ? this.maker(one.forge) : ["given by you"]))));
    const table = rows.length ? el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows it trained" }, el("table", { class: "ledger" }, el("thead", {}, el("tr", {}, ...["File", "Rows trained", "Made by"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...rows))) : el("p", { class: "t2 small" }, "It trained no rows of its own.");
    return [list(facts), table, this.verdicts(verdicts)];
  }

  maker(forge) {
    const kinds = Object.entries(forge.kinds ?? {}).map(([name, count]) => `${say.whole(count)} ${name}`).join(", ");
    return [...(forge.seal === null || forge.seal === undefined ? ["the forge"] : ["the forge, asking ", this.link(forge.seal)]), el("span", { class: "t3" }, ` ${kinds}`)];
  }

  row({ row, forge, learned_by: learned, descendants, verdicts, buried }) {
    const facts = [
      ["Row", [`line ${say.whole(row.line)} of ${row.file}`, ...(row.line > 1 ? [" ", this.link(`${row.file}:${row.line - 1}`, "before")] : []), " ", this.link(`${row.file}:${row.line + 1}`, "after")]],
      ...["problem", "family", "level", "kind", "reply"].filter((name) => row[name] !== undefined && row[name] !== null).map((name) => [say.sentenceCase(name), [el("code", {}, typeof row[name] === "string" ? row[name] : JSON.stringify(row[name]))]]),
      ...(row.content_deleted_at ? [["Its text", [`was deleted ${say.clock(row.content_deleted_at, this.feed.now())}, after training`]]] : []),
      ...(forge ? [["Made by", this.maker(forge)]] : []),
      ...(buried ? [["Buried", [buried]]] : []),
      ["Learned by", learned.length ? this.numbers(learned.map((one) => one.checkpoint)) : ["no checkpoint yet"]],
      ...(descendants?.length ? [["Handed on to", this.numbers(descendants)]] : []),
    ];
    return [list(facts), this.verdicts(verdicts)];
  }

  verdicts(verdicts) {
    if (!verdicts.length) return el("p", { class: "t2 small" }, "Nobody has judged it.");
    return el("ul", { class: "since told" }, ...verdicts.map((one) => el("li", {}, icon(...VERDICT[one.word]), el("span", {}, el("b", {}, WORD[one.word]), " checkpoint ", this.link(one.seal), one.reason ? el("span", { class: "t2" }, `, ${one.reason}`) : ""), el("span", { class: "when" }, say.clock(one.at, this.feed.now())))));
  }
}

const list = (facts) => el("dl", { class: "facts" }, ...facts.map(([name, parts]) => el("div", {}, el("dt", {}, name), el("dd", {}, ...parts))));
