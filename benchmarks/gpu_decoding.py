"""Tiles decoded on a GPU (nvJPEG, through torchvision) against the processor's decode at half size.

Both start from whole JPEG streams in memory and end with pixels at 0.5 µm per pixel: nvJPEG knows no decode
at half size, so the GPU decodes in full and averages 2 by 2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torchvision.io import ImageReadMode, decode_jpeg

from benchmarks.reader_table import MEGAPIXELS, bare, standing_streams
from benchmarks.rounds import Job, ratio, take_turns

BATCH = 64
PROCESSOR = "processor, one thread, 1/2"


def halved(streams: Sequence[Tensor], device: torch.device) -> Tensor:
    """Decode tiles of one size on a device and average 2 by 2; uint8 (B, 3, height / 2, width / 2)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated since torchvision 0.29 in favour of torchcodec
        tiles = decode_jpeg(list(streams), mode=ImageReadMode.RGB, device=device)
    return avg_pool2d(torch.stack(tiles).float(), 2).round().to(torch.uint8)


def on_device(streams: Sequence[bytes], device: torch.device) -> Callable[[], Job]:
    """Decode all tiles, batch by batch."""
    tensors = [torch.from_numpy(np.frombuffer(stream, np.uint8).copy()) for stream in streams]

    def job() -> float:
        for start in range(0, len(tensors), BATCH):
            halved(tensors[start : start + BATCH], device)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return MEGAPIXELS

    return lambda: job


def print_gpu_decoding(path: Path, device: torch.device) -> dict[str, float]:
    """Measure by the clock; returns Mpx/s and the GPU's ratio to one thread of the processor."""
    streams = standing_streams(path)
    name = f"{device}, batches of {BATCH}"
    found = take_turns({PROCESSOR: bare(streams), name: on_device(streams, device)}, perf_counter)
    for one, speeds in found.items():
        print(f"  decoding, {one:28} {median(speeds):9.1f} Mpx/s")
    gain = ratio(found, name, PROCESSOR)
    print(f"  {'GPU over one thread of the processor':38} {gain:9.2f}")
    return {one: median(speeds) for one, speeds in found.items()} | {"GPU over processor": gain}
