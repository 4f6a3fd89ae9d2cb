// Talking to a checkpoint, in any regime; where a problem is posed, the checker looks on.

import { $, el, icon, text, whenChanged } from "./dom.js";
import { request } from "./control.js";
import * as say from "./format.js";

const REGIMES = [["", "as it likes"], ["1", "English"], ["2", "S-expressions"], ["3", "codes"]];
const HOTTEST = 2;

export class Chat {
  constructor(feed) {
    this.feed = feed;
    this.known = [];
    this.turns = [];
    this.writing = null;
    this.state = "";
    this.show = whenChanged((told) => this.models(told));
  }

  build({ families, levels }) {
    const options = (pairs) => pairs.map(([value, word]) => el("option", { value }, word));
    const select = (id, word, pairs) => el("label", {}, `${word} `, el("select", { id }, ...options(pairs)));
    const field = el("textarea", { id: "chat-said", rows: "3", maxlength: "8000", "aria-label": "What you say", placeholder: "What you say, or a problem drawn above" });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send();
    });
    $("chat-form").replaceChildren(
      el("div", { class: "pick" },
        el("label", {}, "Model ", el("select", { id: "chat-model", onchange: () => this.chosen() })),
        el("button", { type: "button", class: "link may-act", id: "chat-load", hidden: "", onclick: (event) => request(event.currentTarget, { verb: "guest", id: $("chat-model").value }) }, "Load it"),
        select("chat-regime", "answers in", REGIMES),
        el("label", {}, "Temperature ", el("input", { id: "chat-heat", type: "number", min: "0", max: String(HOTTEST), step: "0.1", value: "0" }))),
      el("div", { class: "pick" },
        select("chat-family", "Problem", families.map((name) => [name, name])),
        select("chat-level", "level", Array.from({ length: levels }, (_, at) => [String(at + 1), String(at + 1)])),
        el("button", { type: "button", class: "link", id: "chat-draw", onclick: () => this.draw() }, "Draw one that is held out")),
      el("label", { class: "find" }, "As terms ", el("input", { id: "chat-problem", maxlength: "4000", autocomplete: "off", spellcheck: "false", placeholder: "for the checker; S-expressions and codes need it" })),
      field,
      el("div", { class: "dos" },
        el("button", { type: "button", class: "do", id: "chat-send", onclick: () => this.send() }, "Ask"),
        el("button", { type: "button", class: "btn", id: "chat-stop", hidden: "", onclick: () => this.writing?.abort() }, "Stop"),
        el("button", { type: "button", class: "btn", id: "chat-new", onclick: () => this.clear() }, "Start over"),
        el("span", { class: "t2 small", id: "chat-state", role: "status" })));
  }

  async take(told) {
    if (!$("chat-form").childElementCount) {
      const offered = await this.feed.ask("/api/lab/families");
      if (!offered || $("chat-form").childElementCount) return;
      this.build(offered);
    }
    this.show({ models: told.models, reason: told.reason });
  }

  models({ models, reason }) {
    const known = models?.models ?? [];
    text("chat-note", models ? "any checkpoint that the node holds; asking wants a control token" : "");
    $("chat-empty").hidden = known.length > 0;
    $("chat-form").hidden = known.length === 0;
    if (!known.length) {
      text("chat-empty", models ? "The node holds no model yet." : `Here you talk to any checkpoint that the node holds. ${say.sentenceCase(reason)}.`);
      return;
    }
    const before = $("chat-model").value;
    this.known = [...known].sort((a, b) => (b.state === "active") - (a.state === "active") || b.registered_at - a.registered_at);
    $("chat-model").replaceChildren(...this.known.map((one) => {
      const remark = one.aliases.length ? one.aliases.join(", ") : one.state === "active" ? "loaded" : "not loaded";
      return el("option", { value: one.id }, `${one.id}, ${remark}`);
    }));
    if (this.known.some((one) => one.id === before)) $("chat-model").value = before;
    this.chosen();
  }

  chosen() {
    const one = this.known.find((each) => each.id === $("chat-model").value);
    $("chat-load").hidden = one.state !== "registered";
    $("chat-send").disabled = one.state !== "active" || this.writing !== null;
    const word = { loading: "It is being loaded.", leaving: "It is leaving memory.", registered: "Load it first: it then stands beside the champion until the loop needs its place." }[one.state] ?? this.state;
    if (this.writing === null) text("chat-state", word);
  }

  async draw() {
    const told = await this.feed.ask(`/api/lab/problem?family=${$("chat-family").value}&level=${$("chat-level").value}`);
    if (!told) return;
    this.clear();
    $("chat-said").value = told.prompt;
    $("chat-problem").value = told.problem;
    if (!$("chat-regime").value) $("chat-regime").value = "3";
  }

  clear() {
    this.turns = [];
    this.state = "";
    $("chat-turns").replaceChildren();
    $("chat-said").value = $("chat-problem").value = "";
    this.chosen();
  }

  async send() {
    const said = $("chat-said").value.trim();
    if (!said || this.writing || $("chat-send").disabled) return;
    const [regime, problem] = [Number($("chat-regime").value) || null, $("chat-problem").value.trim() || null];
    this.turns.push({ role: "user", content: said });
    const reply = new Reply(said, $("chat-model").value);
    $("chat-turns").append(reply.node);
    this.writing = new AbortController();
    $("chat-stop").hidden = false;
    $("chat-send").disabled = true;
    text("chat-state", "Writing");
    this.state = "";
    try {
      const body = { model: $("chat-model").value, messages: this.turns, regime, problem, temperature: Number($("chat-heat").value) || 0 };
      await stream(body, this.writing.signal, (piece) => reply.take(piece));
      this.turns.push({ role: "assistant", content: reply.answer });
      $("chat-said").value = "";
    } catch (error) {
      this.turns.pop();
      this.state = error.name === "AbortError" ? "Stopped." : `${say.sentenceCase(error.message)}.${error.next ? ` Next: ${error.next}` : ""}`;
      reply.end();
    }
    this.writing = null;
    $("chat-stop").hidden = true;
    this.chosen();
  }
}

/** A question and its answer, as it is written. */
class Reply {
  constructor(said, model) {
    this.answer = "";
    this.thought = el("p", { class: "text t2" });
    this.text = el("p", { class: "text" });
    this.told = el("div");
    this.node = el("article", { class: "exd" }, el("p", { class: "prompt" }, said), el("h3", {}, model), this.thought, this.text, this.told);
  }

  take(choice) {
    this.thought.append(choice.delta.reasoning_content ?? "");
    this.text.append(choice.delta.content ?? "");
    this.answer += choice.delta.content ?? "";
    if (choice.finish_reason === "length") this.text.append(" …");
    if (choice.regime3) this.judged(choice.regime3);
    if (choice.finish_reason) this.end();
  }

  end() {
    if (!this.text.textContent) this.text.textContent = "(nothing)";
  }

  judged({ verdict, trace, english }) {
    const bad = verdict.first_bad_step;
    const steps = (trace ?? []).map((step, at) => {
      const [shape, colour, word] = bad === null || at + 1 < bad ? ["tick", "acc", "holds"] : at + 1 === bad ? ["cross", "bad", "does not hold"] : ["l-none", "t3", "not looked at"];
      return el("li", { class: colour === "bad" ? "bad" : colour === "t3" ? "unread" : "" }, icon(shape, colour), el("span", { class: "sr" }, `${word}: `), el("code", {}, step), el("span", { class: "t2" }, english?.[at] ?? ""));
    });
    this.told.replaceChildren(steps.length ? el("ol", { class: "steps" }, ...steps) : "", el("p", { class: verdict.valid ? "acc" : "bad" }, verdict.valid ? "Every step holds" : say.sentenceCase(verdict.reason || "not valid")));
  }
}

/** Each choice of the node's stream; a refusal is thrown with its reason. */
async function stream(body, signal, take) {
  const answer = await fetch("/api/chat", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
  if (!answer.ok) {
    const told = await answer.json();
    throw Object.assign(new Error(told.error), { next: told.next });
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const told = JSON.parse(line.slice(6));
      if (told.error) throw new Error(told.error.message);
      told.choices.forEach(take);
    }
  }
}
