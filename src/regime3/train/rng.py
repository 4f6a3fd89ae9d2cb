"""Every random state a step may draw from: captured, restored, written without pickle.

A replayed window restores `TorchRng` (torch only: cheap, once a window); a checkpoint holds
python, numpy, torch and every CUDA device.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from regime3 import disk

RNG_JSON = "rng.json"
RNG_TENSORS = "rng.safetensors"


@dataclass(frozen=True)
class TorchRng:
    """Torch's generators: the CPU's, and one for each CUDA device in use."""

    cpu: torch.Tensor
    cuda: list[torch.Tensor]

    @classmethod
    def capture(cls) -> TorchRng:
        used = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state_all() if used else [])

    def restore(self) -> None:
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda[: torch.cuda.device_count()])


def write_rng(folder: Path) -> None:
    """Write all states into `folder` (a temp folder that the vault seals)."""
    own = TorchRng.capture()
    version, words, gauss = random.getstate()
    kind, keys, place, has_gauss, cached = np.random.get_state()
    tensors = {"torch_cpu": own.cpu, "numpy_keys": torch.from_numpy(np.array(keys, dtype=np.int64))}
    tensors |= {f"cuda_{index}": state for index, state in enumerate(own.cuda)}
    save_file(tensors, folder / RNG_TENSORS)
    plain = {
        "python": {"version": version, "words": list(words), "gauss": gauss},
        "numpy": {"kind": kind, "place": place, "has_gauss": has_gauss, "cached": cached},
    }
    disk.write_json(folder / RNG_JSON, plain, durable=False)


def load_rng(folder: Path) -> None:
    """Restore what `write_rng` wrote. CUDA states beyond the devices here are left alone."""
    plain: dict[str, Any] = json.loads((folder / RNG_JSON).read_text(encoding="utf-8"))
    tensors = load_file(folder / RNG_TENSORS)
    python, numpy = plain["python"], plain["numpy"]
    random.setstate((python["version"], tuple(python["words"]), python["gauss"]))
    keys = tensors["numpy_keys"].numpy().astype(np.uint32)
    np.random.set_state((numpy["kind"], keys, numpy["place"], numpy["has_gauss"], numpy["cached"]))
    cuda = [tensors[name] for name in sorted(tensors) if name.startswith("cuda_")]
    TorchRng(tensors["torch_cpu"], cuda if torch.cuda.is_available() else []).restore()
