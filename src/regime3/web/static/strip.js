// The strip: alive? learning? what next? One answer each, a sentence, three figures.

import { $, el, figure, text } from "./dom.js";
import * as say from "./format.js";
import { ICONS, WORDS } from "./frame.js";

export function showStrip(live, feed, state) {
  const status = live?.status ?? null;
  $("state-icon").setAttribute("href", `#${ICONS[state] ?? `s-${state}`}`);
  text("state-word", WORDS[state]);
  showSentence(state, live, feed);
  showFatal(state, live);
  const now = feed.now();
  figure("heartbeat", say.ago(status?.heartbeat, now), status?.heartbeat ? "ago" : "");
  const at = state !== "alive" && status?.timestamp ? `at ${say.clock(status.timestamp, now)}` : null;
  showProgress(status, at);
  showLearning(status, at);
  showNext(status, state, now);
}

function showSentence(state, live, feed) {
  const parts = [];
  const status = live?.status;
  if (state === "lost") {
    parts.push(`This page's server has not answered for ${say.duration(feed.silence())}. `, "Is ", el("code", {}, "r3 web"), " still running?");
  } else if (!status) {
    parts.push(sentence(live?.problem?.reason ?? "Asking this lab for its status"), " To start one, run: ", el("code", {}, live?.problem?.next ?? "r3 up"));
  } else if (state === "alive" && status.state === "training" && status.current_file) {
    parts.push("Training ", el("code", {}, status.current_file), rowOf(status));
  } else {
    parts.push(sentence(live.judgement.sentence), " ", ...withCommand(live.judgement.what_to_do));
  }
  const node = $("state-sentence");
  const fresh = el("p", {}, ...parts);
  if (node.textContent !== fresh.textContent) node.replaceChildren(...fresh.childNodes);
}

const sentence = (words) => (/[.?!]$/.test(words) ? words : `${words}.`);

/** "…, run: r3 resume" with the command set as one. */
function withCommand(words) {
  const cut = words.indexOf("r3 ");
  return cut < 0 ? [words] : [words.slice(0, cut), el("code", {}, words.slice(cut))];
}

function rowOf(status) {
  const file = status.queue?.files.find((item) => item.id === status.current_file_id);
  if (!file) return ".";
  const pass = file.passes > 1 ? `, pass ${file.pass_number} of ${file.passes}` : "";
  return `, row ${say.whole(file.position)} of ${say.whole(file.rows)}${pass}.`;
}

function showFatal(state, live) {
  $("fatalbar").hidden = state !== "fatal";
  if (state === "fatal") text("fatal-text", `${sentence(live.judgement.sentence)} ${live.judgement.what_to_do}`);
}

function showProgress(status, at) {
  const step = status?.current_step ?? null;
  const of = status?.total_steps ? `of ${say.whole(status.total_steps)}` : "";
  figure("step", say.whole(step), at && step !== null ? at : of);
  const speed = status?.tokens_per_sec ?? null;
  const base = status?.tokens_per_sec_baseline;
  const share = speed && base ? say.percent((100 * speed) / base) : "";
  figure("speed", say.rate(speed), at && speed !== null ? at : share);
}

function showLearning(status, at) {
  const smoothed = status?.streaming_ce ?? null;
  const trend = status?.loss_trend ?? null;
  text("loss", say.loss(smoothed));
  text("loss-word", smoothed === null ? "no loss yet" : at ? `loss ${at}` : trend ? `loss, ${trend}` : "loss");
  const arrow = $("trend");
  arrow.toggleAttribute("hidden", trend === null);
  arrow.classList.toggle("off", trend !== "falling");
  if (trend) $("trend-icon").setAttribute("href", `#${trend}`);
  text("learning-sentence", learningSentence(status));
  const checked = status?.validation_step;
  figure("validation", say.loss(status?.validation_loss), checked ? `step ${say.whole(checked)}` : "");
  figure("gap", say.loss(status?.val_train_gap));
  const last = status?.accuracy_last_50 ?? status?.accuracy_last_20 ?? status?.accuracy_percent ?? null;
  const count = status?.accuracy_last_50 !== null ? "of last 50" : status?.accuracy_last_20 !== null ? "of last 20" : "so far";
  figure("right", say.percent(last), last === null ? "" : count);
}

function learningSentence(status) {
  if (!status || status.streaming_ce === null) return "The first loss comes with the first step.";
  const parts = [];
  if (status.loss_change === null) {
    parts.push("Too few steps to tell a trend from noise.");
  } else {
    const steps = 2 * Math.min(100, Math.floor(status.train_loss_history.length / 2));
    const way = { falling: "Down", rising: "Up", flat: "Within the noise," }[status.loss_trend];
    const size = say.loss(Math.abs(status.loss_change));
    parts.push(status.loss_trend === "flat" ? `Flat over ${steps} steps: any change is within the noise.` : `${way} ${size} over the last ${steps} steps.`);
  }
  if (status.fixed_eval_trend) parts.push(`On validation rows it is ${status.fixed_eval_trend}.`);
  else if (status.validation_loss === null) parts.push("Put rows into validation/ to see it on rows never trained.");
  return parts.join(" ");
}

function showNext(status, state, now) {
  const queue = status?.queue ?? null;
  const range = status?.eta_seconds_range ?? null;
  const known = state === "alive" && range !== null;
  const dry = queue !== null && queue.rows_left === 0;
  text("eta", known ? say.range(range[0], range[1]) : dry ? "Queue is dry" : status ? "Not known" : say.UNKNOWN);
  text("next-sentence", nextSentence(status, state, known, dry, now));
  figure("rows-left", say.whole(queue?.rows_left));
  figure("files-open", say.whole(queue?.files_open), queue ? `of ${say.whole(queue.files_open + queue.files_ended)}` : "");
  const sealed = status?.head_sealed_at ?? null;
  figure("last-seal", status?.head_seal === null ? say.UNKNOWN : say.whole(status?.head_seal), sealed ? `${say.ago(sealed, now)} ago` : "");
}

function nextSentence(status, state, known, dry, now) {
  if (!status) return "Once files are in inbox/, the time until they are trained stands here.";
  if (known) {
    const [low, high] = status.eta_seconds_range.map((seconds) => say.clock(status.timestamp + seconds, now));
    return low === high ? `until the queue is dry, at about ${low}.` : `until the queue is dry, between ${low} and ${high}.`;
  }
  if (dry) return "Everything admitted is trained. Drop .jsonl files into inbox/ to go on.";
  if (state === "paused") return "No time is promised while training rests.";
  if (state !== "alive") return "No time is promised while it does not train.";
  return "An estimate stands here after a few seconds of training.";
}
