// The live page: one feed, and parts that each show their share of it.

import { Curves } from "./curves.js";
import { openPage } from "./frame.js";
import { Loop } from "./loop.js";
import { showMachine } from "./machine.js";
import { makeAlerts, makeAnswers, makeEvents, showAccuracy } from "./panels.js";
import { showQueue } from "./queue.js";
import { Power } from "./power.js";
import { offerToSave } from "./save.js";
import { Since } from "./since.js";
import { showStrip } from "./strip.js";

const feed = openPage(show);
const curves = new Curves(feed);
offerToSave(curves, feed);
const since = new Since(feed);
const power = new Power(feed, (changes) => curves.powered(changes));
const loop = new Loop(feed, (verdicts) => { curves.judged(verdicts); since.judged(verdicts); });
const [showAlerts, showEvents, showAnswers] = [makeAlerts(feed), makeEvents(feed), makeAnswers(feed)];

function show(live, feed, state) {
  const status = live?.status ?? null;
  showStrip(live, feed, state);
  showAlerts([status?.active_alerts ?? []]);
  showEvents([status?.recent_events ?? []]);
  showAccuracy([status && { ...accuracyOf(status) }]);
  showAnswers(status?.recent_examples ?? []);
  showQueue([status?.queue ?? null, status?.queue_velocity ?? null, state === "alive", Math.round((status?.timestamp ?? 0) / 10) * 10]);
  showMachine([status]);
  curves.follow(status);
  loop.follow();
  power.follow();
  since.follow(live);
}

function accuracyOf(status) {
  const { total_evals, recent_matches, accuracy_trend, fixed_eval_em, accuracy_percent, token_entropy, fixed_eval_ece } = status;
  return { total_evals, recent_matches, accuracy_trend, fixed_eval_em, accuracy_percent, token_entropy, fixed_eval_ece };
}

addEventListener("scroll", () => document.body.classList.toggle("scrolled", scrollY > 120), { passive: true });

feed.start();
