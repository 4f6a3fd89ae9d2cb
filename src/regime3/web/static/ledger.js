// Verdicts with the numbers that they rest on, checkpoints on the disk, and two of them compared.

import { actButton } from "./control.js";
import { $, el, icon, svg, text, whenChanged } from "./dom.js";
import * as say from "./format.js";
import { VERDICT, WORD } from "./loop.js";
import { choose, chosen } from "./place.js";

const SHOWN = 10;
const WHISKER = { wide: 132, tall: 14, points: 15 };
const Z = 1.96;

export class Ledger {
  /** `walk` shows the lineage of a checkpoint. */
  constructor(feed, walk) {
    this.feed = feed;
    this.walk = walk;
    this.all = false;
    this.open = new Set();
    this.told = null;
    this.showVerdicts = whenChanged(([told, all, open]) => this.verdicts(told, all, new Set(open)));
    this.showKept = whenChanged(([told]) => this.kept(told));
    this.offer = whenChanged(([checkpoints]) => this.choices(checkpoints));
    this.showPair = whenChanged(([told]) => pair(told));
    $("ledger-all").addEventListener("click", () => {
      this.all = !this.all;
      $("ledger-all").setAttribute("aria-pressed", String(this.all));
      this.draw();
    });
    for (const side of ["one", "other"]) {
      $(`compare-${side}`).addEventListener("change", (event) => {
        choose(side, event.target.value);
        this.compare();
      });
    }
  }

  take(told) {
    this.told = told;
    this.draw();
  }

  draw() {
    if (!this.told) return;
    this.showVerdicts([this.told, this.all, [...this.open]]);
    this.showKept([this.told]);
  }

  // ---------------------------------------------------------------------------- verdicts

  verdicts(told, all, open) {
    const { verdicts } = told;
    $("ledger-all").hidden = verdicts.length <= SHOWN;
    if (!verdicts.length) {
      text("ledger-note", "");
      $("ledger").replaceChildren(el("p", { class: "empty" }, "Each verdict stands here with the numbers that it rests on, once a checkpoint was judged. To begin: ", el("code", {}, "r3 up")));
      return;
    }
    const count = (word) => verdicts.filter((one) => one.word === word).length;
    text("ledger-note", `${say.whole(verdicts.length)} verdicts, ${count("promote")} promoted, ${count("rollback")} rolled back; ${told.false_promotions.toFixed(2)} false promotions expected at most`);
    const focus = document.activeElement?.dataset?.verdict;
    const shown = (all ? verdicts : verdicts.slice(-SHOWN)).slice().reverse();
    const head = ["Verdict", "Checkpoint", "Step", "When", "Against", "Won : lost", "Better by, points"].map((name) => el("th", { scope: "col" }, name));
    $("ledger").replaceChildren(el("table", { class: "ledger" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...shown.flatMap((one) => this.verdict(one, open.has(one.number))))));
    if (focus) $("ledger").querySelector(`[data-verdict="${CSS.escape(focus)}"]`)?.focus();
  }

  verdict(one, open) {
    const test = one.overall;
    const toggle = el("button", {
      type: "button", "aria-expanded": String(open), "data-verdict": String(one.number),
      onclick: () => { if (!this.open.delete(one.number)) this.open.add(one.number); this.draw(); },
    }, icon(...VERDICT[one.word]), el("b", {}, WORD[one.word]), one.by === "user" ? " by hand" : "");
    const row = el("tr", {}, el("th", { scope: "row" }, toggle), el("td", {}, this.checkpoint(one.seal)), el("td", {}, say.whole(one.step)), el("td", {}, say.clock(one.at, this.feed.now())),
      el("td", {}, one.against === null ? say.UNKNOWN : this.checkpoint(one.against)),
      el("td", {}, test ? `${say.whole(test.wins)} : ${say.whole(test.losses)} of ${say.whole(test.pairs)}` : say.UNKNOWN), el("td", {}, test ? whisker(test) : say.UNKNOWN));
    return open ? [row, el("tr", { class: "more" }, el("td", { colspan: "7" }, details(one)))] : [row];
  }

  checkpoint(number) {
    return el("button", { type: "button", class: "link", title: "Its lineage", onclick: () => this.walk(String(number)) }, String(number));
  }

  // ------------------------------------------------------------------------ on the disk

  kept({ checkpoints, champion, best }) {
    text("kept-note", checkpoints.length ? `${say.whole(checkpoints.length)} checkpoints, ${say.bytes(checkpoints.reduce((sum, one) => sum + one.size_bytes, 0))}` : "");
    if (!checkpoints.length) {
      $("kept").replaceChildren(el("p", { class: "empty" }, "A trainer seals a checkpoint every few hundred steps, and whenever it is stopped."));
      return;
    }
    const role = (number) => [number === champion ? "champion" : "", number === best && best !== champion ? "best ever" : ""].filter(Boolean).join(", ");
    const head = ["Checkpoint", "Step", "Validation loss", "Size", "Sealed", "State"].map((name) => el("th", { scope: "col" }, name)).concat(el("th", { scope: "col", class: "may-act" }, el("span", { class: "sr" }, "Act")));
    const rows = checkpoints.slice().reverse().map((one) => el("tr", {},
      el("th", { scope: "row" }, this.checkpoint(one.number), role(one.number) ? el("span", { class: "acc" }, ` ${role(one.number)}`) : ""),
      el("td", {}, say.whole(one.step)), el("td", {}, say.loss(one.validation_loss)), el("td", {}, say.bytes(one.size_bytes)), el("td", {}, say.clock(one.created_at, this.feed.now())),
      el("td", { class: one.state === "damaged" ? "bad" : "" }, one.state, one.rolled_back_from === null ? "" : `, back from ${one.rolled_back_from}`),
      el("td", { class: "may-act acts" }, one.number === champion ? "" : actButton("Promote", { verb: "promote", number: one.number, reason: "asked on the page" }), one.state === "head" ? "" : actButton("Go back", { verb: "rollback", number: one.number, reason: "asked on the page" }))));
    $("kept").replaceChildren(el("table", { class: "ledger" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
  }

  // ---------------------------------------------------------------------------- compare

  /** Which checkpoints have answered the probes: those that can be compared. */
  answered(checkpoints) {
    this.offer([checkpoints]);
    this.compare();
  }

  choices(checkpoints) {
    const seals = checkpoints.map((one) => String(one.seal));
    $("compare-pick").hidden = seals.length < 2;
    for (const [side, usual] of [["one", seals[0]], ["other", seals.at(-1)]]) {
      const now = $(`compare-${side}`).value || chosen(side);
      $(`compare-${side}`).replaceChildren(...checkpoints.map((one) => el("option", { value: one.seal }, `${one.seal}, step ${say.whole(one.step)}`)));
      $(`compare-${side}`).value = seals.includes(now) ? now : usual ?? "";
    }
    if (seals.length < 2) $("compare").replaceChildren(el("p", { class: "empty" }, "Two checkpoints on the same probes, family by family, once two have answered."));
  }

  async compare() {
    const [one, other] = [$("compare-one").value, $("compare-other").value];
    if ($("compare-pick").hidden || !one || !other) return;
    const told = await this.feed.ask(`/api/lab/compare?one=${encodeURIComponent(one)}&other=${encodeURIComponent(other)}`);
    if (told) this.showPair([told]);
  }
}

/** A difference with its interval: the line is the middle, which is no difference. */
function whisker({ wins, losses, pairs }) {
  const gain = (100 * (wins - losses)) / pairs;
  const wide = pairs > 1 ? (100 * Z * Math.sqrt(Math.max(0, wins + losses - (wins - losses) ** 2 / pairs))) / pairs : 0;
  const { wide: width, tall, points } = WHISKER;
  const x = (value) => (width / 2) * (1 + Math.max(-1, Math.min(1, value / points)));
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${tall}`, class: "whisker", "aria-hidden": "true" },
    svg("path", { d: `M${width / 2} 0V${tall}`, class: "zero" }),
    svg("path", { d: `M${x(gain - wide)} ${tall / 2}H${x(gain + wide)}`, class: "reach" }),
    svg("path", { d: `M${x(gain)} 3V${tall - 3}`, class: "at" }));
  const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;
  return el("span", { class: "whiskers" }, drawing, el("span", {}, signed(gain)), el("span", { class: "t3" }, `${signed(gain - wide)} to ${signed(gain + wide)}`));
}

function details(one) {
  const families = Object.entries(one.families ?? {});
  const parts = [el("p", {}, one.reason ? `${say.sentenceCase(one.reason)}.` : "")];
  if (one.vetoes.length) parts.push(el("p", { class: "warn" }, `Vetoed by ${one.vetoes.join(", ")}.`));
  if (one.best_test) parts.push(el("p", {}, `Against the best ever, checkpoint ${one.best}: ${one.best_test.wins} won, ${one.best_test.losses} lost of ${one.best_test.pairs}, ${one.best_test.outcome}.`));
  if (families.length) {
    const rows = families.map(([name, test]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, `${say.whole(test.wins)} : ${say.whole(test.losses)} of ${say.whole(test.pairs)}`), el("td", {}, whisker(test)), el("td", {}, test.outcome)));
    parts.push(el("table", {}, el("thead", {}, el("tr", {}, ...["Family", "Won : lost", "Better by, points", "Test"].map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...rows)));
  }
  if (one.fixed) parts.push(fixed(one.fixed));
  parts.push(el("p", { class: "t3" }, `${one.model}; judged in ${say.duration(one.seconds)}${one.problems ? `; fresh problems ${say.whole(one.problems[0])} to ${say.whole(one.problems[1])} of each family` : ""}`));
  return el("div", { class: "details" }, ...parts);
}

/** Measures on the fixed set, which is the same for every checkpoint. */
function fixed({ groups }) {
  const head = ["Fixed set", "Regime", "Answers", "Exact", "Solved", "Steps valid", "Cross-entropy", "Calibration error", "Tokens"];
  const share = (value) => say.percent(value === null ? null : 100 * value);
  const rows = groups.map((one) => el("tr", {}, el("th", { scope: "row" }, `${one.family} ${one.level}`), el("td", {}, String(one.regime)), el("td", {}, say.whole(one.answers)), el("td", {}, share(one.exact_match)), el("td", {}, share(one.solved)), el("td", {}, share(one.steps_valid)), el("td", {}, say.shortLoss(one.cross_entropy)), el("td", {}, say.shortLoss(one.calibration_error)), el("td", {}, say.rate(one.tokens))));
  return el("details", {}, el("summary", {}, `The fixed set, ${say.whole(groups.length)} groups`), el("table", {}, el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...rows)));
}

function pair({ checkpoints, answered, asked, families }) {
  const [one, other] = checkpoints;
  const away = checkpoints.filter((_, side) => !answered[side]);
  text("compare-note", away.length ? "" : `${say.whole(asked)} probes that both answered`);
  if (away.length || !asked) {
    $("compare").replaceChildren(el("p", { class: "empty" }, `Checkpoint ${away.join(" and ")} has not answered the probes.`));
    return;
  }
  const rows = Object.entries(families).map(([name, own]) => {
    const better = own.solved[1] - own.solved[0];
    return el("tr", {}, el("th", { scope: "row" }, name), ...own.solved.map((count) => el("td", {}, `${count} of ${own.asked}`)),
      el("td", { class: better > 0 ? "acc" : better < 0 ? "warn" : "" }, better > 0 ? `+${better}` : better < 0 ? `−${-better}` : "0"),
      el("td", {}, String(own.only[1].length)), el("td", {}, String(own.only[0].length)), el("td", {}, own.tokens.map((sum) => (sum / own.asked).toFixed(1)).join(" → ")));
  });
  const head = ["Family", `By ${one}`, `By ${other}`, "Change", `Only ${other}`, `Only ${one}`, "Tokens each"].map((name) => el("th", { scope: "col" }, name));
  $("compare").replaceChildren(el("table", { class: "ledger" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
}
