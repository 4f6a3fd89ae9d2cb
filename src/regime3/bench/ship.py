"""`r3 bench swap`: from a sealed checkpoint to its first token, over loopback.

A checkpoint of Qwen3-0.6B's shapes (fp32, random weights; 1.2 GB once it is shipped in bf16) and
one of the nano model are pushed into a node of their own: exported, uploaded, verified, loaded
beside the nano model that serves, activated, asked for a token. Meanwhile the old model answers
without a break: the longest silence of any of those requests is the pause, and one that fails is
dropped. The peer is a plain copy of the shipped bytes with fsync, in turn with the pushes.

    python -m regime3.bench.ship --lab FOLDER --port 9000     # the node's side, by hand
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from regime3 import disk
from regime3.bench.telling import rounds
from regime3.clock import SystemClock
from regime3.config import Node as NodeSettings
from regime3.config import Settings
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.records.ledger import Ledger
from regime3.records.tensors import encode_header
from regime3.ship.push import Node, push
from regime3.vault import Vault

RUNS_QUICK, RUNS_FULL = 2, 5
ASKERS: Final = 4
TOKENS: Final = 48
ALLOWANCE_S: Final = 2.0
"""BENCH.md: `vs_plain_copy` is the total less two seconds, over the copy."""
START_S_MAX: Final = 120.0
RETRY_S: Final = 0.02
COPY_BYTES: Final = 4 << 20
LARGE: Final[dict[str, Any]] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "dtype": "float32",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
}
MEANING: Final = {
    "total_s_1200mb": "sealed to first token, 1.2 GB shipped, export included",
    "vs_plain_copy": "that total less 2 s, over a plain fsynced copy of the shipped bytes",
    "pause_s_1200mb": "longest silence of any request to the old model meanwhile",
    "dropped": "requests that failed meanwhile, all runs",
    "total_s_nano": "sealed to first token, nano model",
    "plain_copy_s": "the plain copy",
    "parts_1200mb": "seconds: export, transfer, verify, load, warm, first token",
    "parts_nano": "the same of the nano model",
}


def run(quick: bool) -> dict[str, Any]:
    """Figures, their smallest and largest, and what they mean."""
    if importlib.util.find_spec("regime3.engine.__main__") is None:
        raise Unavailable("this version has no engine to swap models in")
    runs = RUNS_QUICK if quick else RUNS_FULL
    with tempfile.TemporaryDirectory(prefix="regime3-bench-") as folder:
        root = Path(folder)
        small, large = _nano_seal(root), _large_seal(root)
        copies: list[float] = []
        swaps: dict[str, list[dict[str, float]]] = {"nano": [], "1200mb": []}
        with _Side(root) as side:
            for number in rounds(runs, "swap"):
                swaps["nano"].append(side.swap(*small, f"nano-{number}"))
                swaps["1200mb"].append(side.swap(*large, f"large-{number}"))
                copies.append(_plain_copy(root, side.shipped))
    return _result(runs, swaps, copies)


def _result(
    runs: int, swaps: dict[str, list[dict[str, float]]], copies: list[float]
) -> dict[str, Any]:
    large, small = swaps["1200mb"], swaps["nano"]
    series = {
        "total_s_1200mb": [swap["total"] for swap in large],
        "vs_plain_copy": [
            (swap["total"] - ALLOWANCE_S) / copy for swap, copy in zip(large, copies, strict=True)
        ],
        "pause_s_1200mb": [swap["pause"] for swap in large],
        "total_s_nano": [swap["total"] for swap in small],
        "plain_copy_s": copies,
    }
    parts = ("export", "transfer", "verify", "load", "warm", "first_token")
    figures: dict[str, Any] = {name: statistics.median(values) for name, values in series.items()}
    figures["dropped"] = sum(swap["dropped"] for swap in [*large, *small])
    for name, found in (("parts_1200mb", large), ("parts_nano", small)):
        figures[name] = {part: statistics.median(swap[part] for swap in found) for part in parts}
    return {
        "figures": figures,
        "spread": {name: [min(values), max(values)] for name, values in series.items()},
        "runs": runs,
        "notes": [f"{ASKERS} requests of {TOKENS} tokens ran at every moment on the nano model"],
        "meaning": MEANING,
    }


# ------------------------------------------------------------------------------- what is shipped


def _nano_seal(root: Path) -> tuple[Lab, Seal]:
    from regime3.model.nano import build_nano

    lab = Lab(root / "nano")
    vault = Vault(lab, SystemClock())
    temp = vault.begin()
    build_nano(temp)
    return lab, vault.commit(temp, parent=None, step=0, reason="bench", ledger=Ledger(step=0))


def _large_seal(root: Path) -> tuple[Lab, Seal]:
    """The nano model's tokenizer under weights of Qwen3-0.6B's shapes."""
    from regime3.model.nano_tokenizer import ship_to

    lab = Lab(root / "large")
    vault = Vault(lab, SystemClock())
    temp = vault.begin()
    disk.write_json(temp / "config.json", LARGE)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        disk.write_bytes(temp / name, (ship_to() / name).read_bytes())
    shapes = _shapes()
    block = (np.random.default_rng(0).standard_normal(1 << 20) * 0.02).astype("<f4").tobytes()
    with open(temp / "model.safetensors", "wb") as out:
        out.write(encode_header([(n, "F32", s) for n, s in shapes.items()], {"format": "pt"}))
        left = sum(4 * int(np.prod(shape)) for shape in shapes.values())
        while left:
            left -= out.write(block[:left])
    return lab, vault.commit(temp, parent=None, step=0, reason="bench", ledger=Ledger(step=0))


def _shapes() -> dict[str, tuple[int, ...]]:
    width, inner, head = LARGE["hidden_size"], LARGE["intermediate_size"], LARGE["head_dim"]
    query, key = LARGE["num_attention_heads"] * head, LARGE["num_key_value_heads"] * head
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (LARGE["vocab_size"], width)}
    for layer in range(LARGE["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        found |= {
            f"{at}input_layernorm.weight": (width,),
            f"{at}mlp.down_proj.weight": (width, inner),
            f"{at}mlp.gate_proj.weight": (inner, width),
            f"{at}mlp.up_proj.weight": (inner, width),
            f"{at}post_attention_layernorm.weight": (width,),
            f"{at}self_attn.k_norm.weight": (head,),
            f"{at}self_attn.k_proj.weight": (key, width),
            f"{at}self_attn.o_proj.weight": (width, query),
            f"{at}self_attn.q_norm.weight": (head,),
            f"{at}self_attn.q_proj.weight": (query, width),
            f"{at}self_attn.v_proj.weight": (key, width),
        }
    return found | {"model.norm.weight": (width,)}


def _plain_copy(root: Path, source: Path) -> float:
    """Seconds to copy the shipped weights with fsync."""
    target = root / "copy"
    began = time.monotonic()
    with open(source, "rb", buffering=0) as data, open(target, "wb", buffering=0) as out:
        while block := data.read(COPY_BYTES):
            out.write(block)
        os.fsync(out.fileno())
    took = time.monotonic() - began
    target.unlink()
    return took


# ------------------------------------------------------------------------------ the trainer's side


class _Side:
    """A node process, and swaps into it."""

    def __init__(self, root: Path) -> None:
        self.lab = Lab(root / "node")
        self.shipped = root / "shipped"
        """The weights that were shipped last."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]

    def __enter__(self) -> _Side:
        disk.make_folder(self.lab.node_models)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "regime3.bench.ship",
             "--lab", str(self.lab.root), "--port", str(self._port)],
            stdout=sys.stderr,
        )  # fmt: skip
        self._node = Node(f"http://127.0.0.1:{self._port}")
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                self._node.ask("POST", "/bench/first", params={"model": "default"})
                return self
            except (NodeRefused, Unavailable):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def swap(self, lab: Lab, seal: Seal, model_id: str) -> dict[str, float]:
        """Push, activate, first token, all timed; then the nano model serves again."""
        self._node.ask("POST", "/bench/load")
        began = time.monotonic()
        pushed = push(lab, seal, self._node, model_id=model_id, activate=True)
        asked = time.monotonic()
        self._node.ask("POST", "/bench/first", params={"model": model_id}, timeout=START_S_MAX)
        ended = time.monotonic()
        load = self._node.ask("DELETE", "/bench/load", timeout=START_S_MAX).json()
        assert pushed.activation is not None
        disk.remove(self.shipped)
        disk.link(self.lab.node_model(model_id) / "model.safetensors", self.shipped)
        self._give_back(model_id)
        return {
            "export": pushed.export_s,
            "transfer": pushed.transfer_s,
            **{part: pushed.activation[f"{part}_s"] for part in ("verify", "load", "warm")},
            "first_token": ended - asked,
            "total": ended - began,
            "pause": load["pause_s"],
            "dropped": load["dropped"],
        }

    def _give_back(self, model_id: str) -> None:
        self._node.activate("nano")
        self._node.ask("PUT", "/models/aliases/previous", json={"id": "nano"})
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            try:
                self._node.ask("DELETE", f"/models/{model_id}")
                return
            except NodeRefused:
                time.sleep(0.05)


# --------------------------------------------------------------------------------- the node's side


async def _serve(lab: Lab, port: int) -> None:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    from regime3.registry import Registry
    from regime3.serve.link import EngineLink, spawn_engine
    from regime3.serve.models import Models
    from regime3.serve.routes import models as model_routes
    from regime3.serve.routes import uploads as upload_routes

    settings = Settings(node=NodeSettings(device="cpu", threads=1))
    launch = importlib.import_module("regime3.records.launch")
    link = EngineLink(spawn_engine(launch.engine_arguments(settings)))
    registry = Registry(lab, SystemClock())
    models = Models(lab, settings, registry, link)
    app = FastAPI()
    uploads = upload_routes.uploads_of(lab, settings, registry, SystemClock())
    app.include_router(upload_routes.router(uploads))
    app.include_router(model_routes.router(models))
    _add_load(app, models)

    async def refuse(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, NodeRefused)
        body = {"message": error.message, "type": "", "param": error.param, "code": error.code}
        return JSONResponse({"error": body}, error.status)

    app.add_exception_handler(NodeRefused, refuse)
    await link.start()
    await models.start()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="warning"))
    try:
        await server.serve()
    finally:
        await link.stop()


def _add_load(app: Any, models: Any) -> None:
    """Requests to the model that serves at the moment, without a break, and their silences."""
    from regime3.records.wire import Generate, Prompt, Sampling

    tasks: list[asyncio.Task[None]] = []
    found = {"pause_s": 0.0, "dropped": 0, "answered": 0}

    async def one(model: str, tokens: int) -> None:
        ask = Generate(0, model, Prompt(text="2 + 2"), 1, tokens, Sampling(seed=1))
        heard = time.monotonic()
        async for _ in models.link.stream(ask):
            found["pause_s"] = max(found["pause_s"], time.monotonic() - heard)
            heard = time.monotonic()

    async def ask_on(model: str) -> None:
        """Until another model serves; what was asked by then is answered by the old one."""
        while models.resolve("default") == model:
            try:
                await one(model, TOKENS)
                found["answered"] += 1
            except NodeRefused:
                found["dropped"] += 1
                await asyncio.sleep(RETRY_S)

    async def begin() -> dict[str, float]:
        found.update(pause_s=0.0, dropped=0, answered=0)
        tasks[:] = [asyncio.create_task(ask_on(models.resolve("default"))) for _ in range(ASKERS)]
        return found

    async def end() -> dict[str, float]:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    async def first(model: str) -> dict[str, float]:
        began = time.monotonic()
        ask = Generate(0, models.resolve(model), Prompt(text="2 + 2"), 1, 1, Sampling(seed=1))
        await models.link.complete(ask)
        return {"seconds": time.monotonic() - began}

    app.add_api_route("/bench/load", begin, methods=["POST"])
    app.add_api_route("/bench/load", end, methods=["DELETE"])
    app.add_api_route("/bench/first", first, methods=["POST"])


def _main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--lab", type=Path)
    given.add_argument("--port", type=int)
    asked = given.parse_args()
    asyncio.run(_serve(Lab(asked.lab), asked.port))


if __name__ == "__main__":
    _main()
