"""Which GPUs this process may use, named so that another process can be given just one of them."""

from __future__ import annotations

import os

import torch


def visible_gpus() -> tuple[str, ...]:
    """Return what to set `CUDA_VISIBLE_DEVICES` to for each GPU in turn; empty without one."""
    number = torch.cuda.device_count()
    named = [
        entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if entry.strip()
    ]
    return tuple(named[:number] if named else map(str, range(number)))
