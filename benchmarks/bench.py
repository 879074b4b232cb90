"""`make bench`: how fast cxpath is, as ratios measured side by side in one run.

Draws its own slides. Jobs take turns (A B A B ...) and medians are compared, since absolute times change with
the machine and its mood. Mpx are megapixels of RGB at 0.5 µm per pixel. `make bench ONLY=readers` runs one
part: readers, forward, scoring, review, agreement, slides, threads, large, memory, gpu. What the processor
has of use to networks is printed and kept with the figures. All figures are kept in cxpath-out/bench.json, of
which `python -m benchmarks.plot` makes the picture of docs/performance.md.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch

from benchmarks.agreement_bench import print_agreement_time
from benchmarks.end_to_end import print_command, print_end_to_end, print_threads, start_up_s
from benchmarks.forward import print_forward
from benchmarks.gpu_decoding import print_gpu_decoding
from benchmarks.large_inputs import print_large_inputs
from benchmarks.memory import print_memory
from benchmarks.reader_slides import draw, write_slide
from benchmarks.reader_table import print_reader_table
from benchmarks.repeated_slide import SYNTHETIC_PX, repeat_slide, synthetic_slide
from benchmarks.review_server import print_review
from benchmarks.scoring import print_scoring
from cxpath.data.settings import usable_cores

OUT = Path("cxpath-out/bench.json")
BIOPSY_PX = 8_192
SLIDE_PX = 16_384
LARGE_SLIDE_PX = 32_768
GPU_SLIDE_PX = 40_960
ON_PROCESSORS = (("torch", "auto"), ("openvino", "auto"), ("openvino", "int8"))


def readers(folder: Path) -> Any:
    """Measure readers side by side."""
    return print_reader_table(folder)


def forward(_: Path) -> Any:
    """Measure the network alone, engine by engine."""
    print("the network alone, one thread, tiles of 1152 px, halo counted:")
    return print_forward(ON_PROCESSORS)


def slides(folder: Path) -> Any:
    """Measure a whole slide, from file to report."""
    print("whole slides, one thread, processor time:")
    drawn = synthetic_slide(folder)
    path = repeat_slide(drawn, folder / "slide.svs", SLIDE_PX)
    figures = print_end_to_end(path, folder, ON_PROCESSORS)
    print("a larger one, once, on which what every slide costs weighs less:")
    large = repeat_slide(drawn, folder / "large.svs", LARGE_SLIDE_PX)
    figures["large"] = print_end_to_end(large, folder, ON_PROCESSORS, rounds=1, wanted=0.75)
    print(f"a biopsy of {BIOPSY_PX} px a side, {len(usable_cores())} cores:")
    figures["biopsy"] = print_command(repeat_slide(drawn, folder / "biopsy.svs", BIOPSY_PX), folder)
    seconds = {side_px: start_up_s(one, folder) for side_px, one in ((SYNTHETIC_PX, drawn), (SLIDE_PX, path))}
    for side_px, found in seconds.items():
        print(f"  start to first tile, {side_px} px a side: {found:.2f} s (wanted: 3)")
    return figures | {"start_up_s": seconds}


def threads(folder: Path) -> Any:
    """Measure the same with more threads."""
    print("whole slides, threads, by the clock:")
    return print_threads(repeat_slide(synthetic_slide(folder), folder / "slide.svs", SLIDE_PX), folder)


def scoring(_: Path) -> Any:
    """Score two million cells."""
    print_scoring()


def review(folder: Path) -> Any:
    """Serve the review of a million cells."""
    slide = repeat_slide(synthetic_slide(folder), folder / "large.svs", LARGE_SLIDE_PX)
    return print_review(slide, folder)


def agreement(folder: Path) -> Any:
    """Study many manual reads."""
    print_agreement_time(folder)


def large(folder: Path) -> Any:
    """Measure the largest inputs that people bring."""
    print("large inputs, each in a process of its own:")
    return print_large_inputs(folder)


def memory(folder: Path) -> Any:
    """Measure peak memory against slide size."""
    print("peak memory (wanted: 1500 MB above the libraries at most):")
    return print_memory(synthetic_slide(folder), folder)


def gpu(folder: Path) -> Any:
    """Measure a whole slide on a CUDA device, and decoding there."""
    if not torch.cuda.is_available():
        print("GPU: not measured, there is none here (the command is ready: make bench ONLY=gpu)")
        return None
    print(f"whole slide on {torch.cuda.get_device_name()}, by the clock (wanted: 10 s for 400 Mpx):")
    path = repeat_slide(synthetic_slide(folder), folder / "slide.svs", GPU_SLIDE_PX)
    figures = print_end_to_end(path, folder, (("torch", "auto"),), "cuda")
    tiles = write_slide(folder / "tiles.svs", draw(), "Q70 4:2:0")
    return figures | {"decoding": print_gpu_decoding(tiles, torch.device("cuda"))}


PARTS: dict[str, Callable[[Path], Any]] = {
    part.__name__: part
    for part in (readers, forward, scoring, review, agreement, slides, threads, large, memory, gpu)
}


def processor_features() -> list[str]:
    """Return what kind of processor this is, and what it has of use to networks."""
    able = torch.cpu.get_capabilities()
    wanted = ("avx2", "avx512_f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "sve")
    return [str(able.get("architecture", "unknown")), *(name for name in wanted if able.get(name))]


def main() -> None:
    """Run the parts that were asked for, or all."""
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    figures = json.loads(OUT.read_text()) if OUT.exists() else {}
    features = processor_features()
    print(f"processor: {', '.join(features)}")
    for name in wanted:
        load = os.getloadavg()[0]
        print(f"\n== {name} (load before it {load:.1f}, {len(usable_cores())} cores)")
        with TemporaryDirectory() as folder:
            started = perf_counter()
            found = PARTS[name](Path(folder))
            figures[name] = {
                "date": datetime.now(UTC).date().isoformat(),
                "processor": features,
                "load": load,
                "seconds": round(perf_counter() - started),
                "figures": found,
            }
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
