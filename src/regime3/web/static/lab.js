// The lab's page: verdicts, curriculum, evolution, layers, codebook, lineage. Each part asks for itself.

import { Chat } from "./chat.js";
import { Codes } from "./codes.js";
import { Evolution } from "./evolution.js";
import { openPage } from "./frame.js";
import { showCurriculum, showLengths } from "./heat.js";
import { makeJobs } from "./jobs.js";
import { showLayers } from "./layers.js";
import { Ledger } from "./ledger.js";
import { Lineage } from "./lineage.js";

const ASK_MS = 8000;

let askedAt = -Infinity;
const feed = openPage(show);
const lineage = new Lineage(feed);
const ledger = new Ledger(feed, (what) => lineage.go(what));
const evolution = new Evolution(feed, (what) => lineage.go(what));
const codes = new Codes();
const showJobs = makeJobs(feed);
const chat = new Chat(feed);

async function show() {
  if (performance.now() - askedAt < ASK_MS) return;
  askedAt = performance.now();
  const ask = (name, take) => feed.ask(`/api/lab/${name}`).then((told) => told && take(told));
  await Promise.all([
    ask("ledger", (told) => ledger.take(told)),
    ask("curriculum", showCurriculum),
    ask("lengths", showLengths),
    ask("layers", showLayers),
    ask("evolution", (told) => { evolution.take(told); ledger.answered(told.checkpoints); }),
    feed.ask("/api/node/jobs").then((told) => told && showJobs(told)),
    feed.ask("/api/node/models").then((told) => told && chat.take(told)),
    ask("codebook", (told) => codes.take(told)),
  ]);
}

lineage.start();
feed.start();
