"""Telling out of memory from other failures, and giving the memory back.

Detection is by type and by words, because CUDA, cuBLAS, MPS and the CPU allocator each say it
differently. Reclaiming must happen outside the `except` block: a live traceback keeps every
tensor of the failed forward. What to do about it is decided by who trains and by who serves.
"""

from __future__ import annotations

import gc

import torch

OOM_WORDS = (
    "out of memory",  # CUDA, HIP, XPU, MPS; with or without a full stop
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "can't allocate memory",  # DefaultCPUAllocator
    "not enough memory",
    "Cannot allocate memory",
)
STICKY_WORDS = (
    "device-side assert",
    "illegal memory access",
    "misaligned address",
    "unspecified launch failure",
    "uncorrectable ECC",
    "CUDA-capable device(s) is/are busy",
    "GPU is lost",
    "device not ready",
)
MESSAGE_CHARACTERS_MAX = 300


def is_oom(error: BaseException) -> bool:
    """Whether memory ran out, on any device or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in OOM_WORDS)


def is_sticky(error: BaseException) -> bool:
    """Whether the device context is lost: only a new process helps."""
    return isinstance(error, RuntimeError) and any(word in str(error) for word in STICKY_WORDS)


def message_of(error: BaseException) -> str:
    """One line, bounded; holds no reference to the error."""
    return " ".join(str(error).split())[:MESSAGE_CHARACTERS_MAX]


def reclaim() -> None:
    """Collect cycles and hand cached device blocks back."""
    gc.collect()
    used = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    if used:
        torch.cuda.empty_cache()


def alloc_retries(device: torch.device) -> int:
    """How often the CUDA allocator had to flush its cache and retry; 0 on a CPU."""
    if device.type != "cuda":
        return 0
    return int(torch.cuda.memory_stats(device).get("num_alloc_retries", 0))


def peak_memory_bytes(device: torch.device) -> int | None:
    """Most device memory held since the last call; None on a CPU."""
    if device.type != "cuda":
        return None
    peak = int(torch.cuda.max_memory_allocated(device))
    torch.cuda.reset_peak_memory_stats(device)
    return peak
