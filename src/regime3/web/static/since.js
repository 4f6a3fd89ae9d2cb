// Since you last looked: what has changed while no tab of this browser showed the page.
//
// The browser keeps, for each lab, what the last look saw; nothing of it leaves it. A look goes on
// as long as the page is seen, and one that was short ago is no other look.

import { text } from "./dom.js";
import * as say from "./format.js";

const AWAY_S = 300;
const KEEP_MS = 15000;
const EVENTS_ASKED = 500;

const plural = (count, word) => `${say.whole(count)} ${word}${count === 1 ? "" : "s"}`;

export class Since {
  constructor(feed) {
    this.feed = feed;
    this.before = null;
    this.events = null;
    this.verdicts = [];
    this.kept = -Infinity;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.keep() : this.begin()));
  }

  /** With every answer. */
  follow(live) {
    if (!live?.status || document.hidden) return;
    const first = !this.live;
    this.live = live;
    if (first) this.begin();
    if (performance.now() - this.kept > KEEP_MS) this.keep();
    this.show();
  }

  judged(verdicts) {
    this.verdicts = verdicts;
    this.show();
  }

  /** A look begins: take up what the one before saw, if it is long enough ago. */
  async begin() {
    const before = this.live && read(this.live.lab);
    if (!before || this.feed.now() - before.at < AWAY_S) return;
    this.before = before;
    this.events = null;
    const told = await this.feed.ask(`/api/events?after=${before.event}`);
    this.events = told?.events ?? null;
    this.show();
  }

  keep() {
    if (!this.live) return;
    this.kept = performance.now();
    const { status } = this.live;
    write(this.live.lab, {
      at: this.feed.now(), step: status.current_step, loss: status.streaming_ce,
      event: status.recent_events.at(-1)?.number ?? 0, verdict: this.verdicts.at(-1)?.number ?? this.before?.verdict ?? 0,
    });
  }

  show() {
    if (!this.before || !this.live) return;
    text("since", sentence(this.before, this.live.status, this.events, this.verdicts, this.feed.now()));
  }
}

function sentence(before, status, events, verdicts, now) {
  const parts = [];
  const steps = status.current_step - before.step;
  if (steps > 0) parts.push(plural(steps, "step"));
  if (steps < 0) parts.push(`back to step ${say.whole(status.current_step)} from ${say.whole(before.step)}`);
  if (steps && before.loss !== null && status.streaming_ce !== null) parts.push(`loss ${say.loss(before.loss)} to ${say.loss(status.streaming_ce)}`);
  const fresh = verdicts.filter((one) => one.number > before.verdict);
  const counted = [
    [fresh.filter((one) => one.word === "promote").length, "promotion"],
    [fresh.filter((one) => one.word === "rollback").length, "rollback"],
    ...["sealed", "worker-died", "out-of-memory"].map((kind, at) => [(events ?? []).filter((event) => event.kind === kind).length, ["checkpoint", "restart", "out of memory"][at]]),
    [(events ?? []).filter((event) => event.level === "ERROR").length, "error"],
  ];
  for (const [count, word] of counted) if (count) parts.push(plural(count, word));
  const most = events?.length >= EVENTS_ASKED ? ", of the newest events alone" : "";
  const told = parts.length ? parts.join(", ") + most : "nothing has changed";
  return `Since you last looked, ${say.duration(now - before.at)} ago: ${told}.`;
}

// ---------------------------------------------------------------------- what the browser keeps

const key = (lab) => `regime3.look.${lab}`;

function read(lab) {
  try {
    const found = JSON.parse(localStorage.getItem(key(lab)));
    return ["at", "step", "event", "verdict"].every((name) => Number.isFinite(found?.[name])) ? found : null;
  } catch {
    return null; // a browser that keeps nothing, or something else under this name
  }
}

function write(lab, look) {
  try {
    localStorage.setItem(key(lab), JSON.stringify(look));
  } catch {
    // A browser that keeps nothing: every look is the first.
  }
}
