// The page: one feed, and parts that each show their share of it.

import { Curves } from "./curves.js";
import { $, text } from "./dom.js";
import { Feed } from "./feed.js";
import * as say from "./format.js";
import { showMachine } from "./machine.js";
import { makeAlerts, makeAnswers, makeEvents, showAccuracy } from "./panels.js";
import { showQueue } from "./queue.js";
import { showStrip, stateOf } from "./strip.js";

// The token was traded for a cookie; it need not stay in the address bar.
const address = new URL(location.href);
if (address.searchParams.has("token")) {
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

const feed = new Feed(show);
const curves = new Curves(feed);
const [showAlerts, showEvents, showAnswers] = [makeAlerts(feed), makeEvents(feed), makeAnswers(feed)];

function show(live) {
  const status = live?.status ?? null;
  showStrip(live, feed);
  showAlerts([status?.active_alerts ?? []]);
  showEvents([status?.recent_events ?? []]);
  showAccuracy([status && { ...accuracyOf(status) }]);
  showAnswers(status?.recent_examples ?? []);
  showQueue([status?.queue ?? null, status?.queue_velocity ?? null, stateOf(live, feed.lost()) === "alive", Math.round((status?.timestamp ?? 0) / 10) * 10]);
  showMachine([status]);
  curves.follow(status);
  showFrame(live, status);
}

function accuracyOf(status) {
  const { total_evals, recent_matches, accuracy_trend, fixed_eval_em, accuracy_percent } = status;
  return { total_evals, recent_matches, accuracy_trend, fixed_eval_em, accuracy_percent };
}

function showFrame(live, status) {
  const name = live?.lab ?? "";
  text("lab-name", name);
  document.title = `${$("state-word").textContent}${status?.streaming_ce ? ` ${say.loss(status.streaming_ce)}` : ""} · ${name || "regime3"}`;
  text("foot-file", status ? `status/training_status.json, schema ${status.schema_version}, sequence ${say.whole(status.sequence)}` : "status/training_status.json is not there yet");
  text("foot-fetch", feed.held ? "Updates are held" : "The page updates by itself");
}

$("hold").addEventListener("click", () => {
  feed.held = !feed.held;
  $("hold").setAttribute("aria-pressed", String(feed.held));
  text("hold", feed.held ? "Go on updating" : "Hold updates");
  showFrame(feed.live, feed.live?.status ?? null);
});

addEventListener("scroll", () => document.body.classList.toggle("scrolled", scrollY > 120), { passive: true });

feed.start();
