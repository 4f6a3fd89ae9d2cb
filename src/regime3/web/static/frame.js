// What every page has: one feed, the bar with the lab's state, the hold, what is said aloud.

import { $, el, icon, text } from "./dom.js";
import { Control } from "./control.js";
import { Feed } from "./feed.js";
import * as say from "./format.js";

export const WORDS = {
  alive: "Alive", stalled: "Stalled", paused: "Paused", stopped: "Stopped", dead: "Dead",
  fatal: "FATAL", lost: "No contact", none: "No trainer yet", unreadable: "Unreadable",
};
export const ICONS = { lost: "s-dead", none: "s-none", unreadable: "s-stalled" };

/** Which state the page shows: the judged one, unless it cannot know. */
export function stateOf(live, lost) {
  if (lost) return "lost";
  if (!live) return "none";
  if (!live.status) return live.problem?.next === "r3 up" ? "none" : "unreadable";
  return live.judgement.state;
}

/** Start a page: `show(live, feed, state)` is called with every answer. Returns the feed. */
export function openPage(show) {
  // The token was traded for a cookie; it need not stay in the address bar.
  const address = new URL(location.href);
  if (address.searchParams.has("token")) {
    address.searchParams.delete("token");
    history.replaceState(null, "", address);
  }
  const feed = new Feed((live) => {
    const state = stateOf(live, feed.lost());
    document.body.dataset.state = state;
    showFrame(live, state, feed);
    show(live, feed, state);
  });
  $("hold").addEventListener("click", () => {
    feed.held = !feed.held;
    $("hold").setAttribute("aria-pressed", String(feed.held));
    text("hold", feed.held ? "Go on" : "Hold");
    showFrame(feed.live, stateOf(feed.live, feed.lost()), feed);
  });
  new Control(feed);
  return feed;
}

function showFrame(live, state, feed) {
  const status = live?.status ?? null;
  const name = live?.lab ?? "";
  const loss = status?.streaming_ce ?? null;
  text("lab-name", name);
  document.title = `${WORDS[state]}${loss === null ? "" : ` ${say.loss(loss)}`} · ${name || "regime3"}`;
  const fresh = [icon(ICONS[state] ?? `s-${state}`), el("b", {}, WORDS[state])];
  if (loss !== null) fresh.push(el("span", {}, `loss ${say.loss(loss)}`));
  $("mini").replaceChildren(...fresh);
  text("foot-file", status ? `status/training_status.json, schema ${status.schema_version}, sequence ${say.whole(status.sequence)}` : "status/training_status.json is not there yet");
  text("foot-fetch", feed.held ? "Updates are held" : "The page updates by itself");
  speak(state, live);
}

let spokenState = null;

function speak(state, live) {
  if (state === spokenState) return;
  const first = spokenState === null;
  spokenState = state;
  if (!first || state !== "alive") text("spoken", `${WORDS[state]}. ${live?.judgement?.sentence ?? ""}`);
}
