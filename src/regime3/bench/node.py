"""`r3 bench node`: useful tokens a second of our engine, against `model.generate`.

Prompts of 8 to 96 tokens, answers of 8 to 160, mean 39, drawn by key; both sides get the same and
write exactly so many, end tokens or not. Ours takes all requests at once and fills its slots as
they fall free; the peer is padded batches of 64, in the order of arrival, each as long as its
longest. Tokens beyond what a request wanted are not useful. Both run the shipped nano model in this
process on one thread, interleaved. What HTTP adds, over whole replies and streams, is `door`'s to
measure: a real node against an engine process asked directly, 64 requests at any moment.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from regime3.bench import door
from regime3.bench.requests import Item, items
from regime3.bench.telling import rounds
from regime3.config import Node, Settings
from regime3.engine.hf import HfEngine
from regime3.model.nano import build_nano
from regime3.records import wire

REQUESTS = 512
SAMPLES = 8
BATCH = 64
SLOTS = 96
RUNS_QUICK, RUNS_FULL = 3, 7
LOAD_S_MAX = 120.0
MEANING = {
    "tokens_vs_generate": "times the useful tokens a second of generate; 2.5 wanted",
    "tokens_vs_generate_8_samples": "the same with 8 samples of each prompt; 3 wanted",
    "tokens_per_s": "useful tokens a second of ours, greedy",
    "tokens_per_s_8_samples": "the same, drawn at temperature 1, 8 samples a prompt",
    "generate_tokens_per_s": "of generate, greedy",
    "generate_tokens_per_s_8_samples": "of generate, drawn, 8 samples a prompt",
    "http_overhead_percent": "tokens a second lost to HTTP, whole replies, 64 at once; under 10",
    "stream_overhead_percent": "the same for streams",
}


def run(quick: bool) -> dict[str, Any]:
    """Measure; the dict is what `regime3.bench` publishes."""
    runs = RUNS_QUICK if quick else RUNS_FULL
    threads = torch.get_num_threads()
    try:
        with tempfile.TemporaryDirectory(prefix="regime3-bench-") as folder:
            measured = _measured(Path(folder) / "nano", runs)
    finally:
        torch.set_num_threads(threads)
    return {
        "figures": {name: round(statistics.median(v), 2) for name, v in measured.items()},
        "spread": {name: [round(min(v), 2), round(max(v), 2)] for name, v in measured.items()},
        "runs": runs,
        "notes": [
            f"{REQUESTS} requests, {SLOTS} slots, batches of {BATCH}, 1 thread on both sides"
        ],
        "meaning": MEANING,
    }


def _measured(folder: Path, runs: int) -> dict[str, list[float]]:
    build_nano(folder)
    engine = _engine(folder)
    model = engine._residents["nano"].model
    found: dict[str, list[float]] = {name: [] for name in MEANING}
    ours(engine, items(0, BATCH), 1)
    theirs(model, items(0, BATCH)[:8], 1)
    for number in rounds(runs, "node"):
        for samples, ending in ((1, ""), (SAMPLES, "_8_samples")):
            given = items(number, REQUESTS // samples)
            mine, peer = ours(engine, given, samples), theirs(model, given, samples)
            found[f"tokens_per_s{ending}"].append(mine)
            found[f"generate_tokens_per_s{ending}"].append(peer)
            found[f"tokens_vs_generate{ending}"].append(mine / peer)
    rates = door.measure(folder, SLOTS, [items(number, REQUESTS) for number in range(runs)])
    for way in ("http", "stream"):
        pairs = zip(rates["direct"], rates[way], strict=True)
        found[f"{way}_overhead_percent"] = [100 * (1 - rate / direct) for direct, rate in pairs]
    return found


def _engine(folder: Path) -> HfEngine:
    """An engine that holds the model."""
    node = Node(slots=SLOTS, slots_reserved=0, device="cpu", threads=1)
    engine = HfEngine(Settings(node=node))
    engine.take(wire.Load(1, "nano", str(folder)))
    began = time.monotonic()
    while not any(isinstance(tell, wire.Loaded) for tell in engine.step()):
        assert time.monotonic() - began < LOAD_S_MAX, "the nano model does not load"
        time.sleep(0.01)
    torch.set_num_threads(1)
    return engine


def ours(engine: HfEngine, given: list[Item], samples: int) -> float:
    """Useful tokens a second; greedy for one sample, else drawn."""
    sampling = wire.Sampling(temperature=0.0 if samples == 1 else 1.0, seed=1, ignore_eos=True)
    began = time.perf_counter()
    for number, (prompt, tokens) in enumerate(given, 10):
        engine.take(
            wire.Generate(
                number, "nano", wire.Prompt(ids=prompt), samples, tokens, sampling=sampling
            )
        )
    written = 0
    while engine.wait_s == 0:
        written += sum(t.tokens for t in engine.step() if isinstance(t, wire.Finished))
    assert written == samples * sum(each.tokens for each in given)
    return written / (time.perf_counter() - began)


@torch.inference_mode()
def theirs(model: Any, given: list[Item], samples: int) -> float:
    """The same of `generate`, in left-padded batches."""
    rows = [item for item in given for _ in range(samples)]
    never = model.config.vocab_size + 1
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        wide = max(len(each.prompt) for each in batch)
        pads = [wide - len(each.prompt) for each in batch]
        model.generate(
            input_ids=torch.tensor(
                [[0] * n + each.prompt for n, each in zip(pads, batch, strict=True)]
            ),
            attention_mask=torch.tensor([[0] * n + [1] * (wide - n) for n in pads]),
            max_new_tokens=max(each.tokens for each in batch),
            do_sample=samples > 1,
            eos_token_id=never,
            pad_token_id=0,
        )
    return sum(each.tokens for each in rows) / (time.perf_counter() - began)
