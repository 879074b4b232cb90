"""The device a network runs on, its precision and its memory."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Literal

import torch

from cxpath.data import counted
from cxpath.errors import ConfigurationError, DeviceError

# Where and how exactly the network computes: processor or GPU, number type, threads.


Precision = Literal["auto", "float32", "bfloat16", "int8"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Device:
    """A place to compute.

    Parameters
    ----------
    name : str
        "cpu" or "cuda".
    number_type : torch.dtype
        What convolutions compute in: bfloat16 where the hardware has it, else float32.
    threads : int
        Threads torch may use on the processor.
    """

    name: str
    number_type: torch.dtype
    threads: int

    @property
    def torch_device(self) -> torch.device:
        """The same for torch."""
        return torch.device(self.name)

    @property
    def precision(self) -> str:
        """Name of the number type, such as "bfloat16"."""
        return str(self.number_type).removeprefix("torch.")

    @property
    def hardware(self) -> str:
        """What computes, such as "cpu (8 threads)"."""
        what = torch.cuda.get_device_name() if self.name == "cuda" else counted(self.threads, "thread")
        return f"{self.name} ({what})"

    def describe(self) -> str:
        """Return one line for logs and `cxpath doctor`."""
        return f"{self.hardware}, {self.precision}"


def choose_device(name: str = "auto", *, precision: Precision = "auto", threads: int | None = None) -> Device:
    """Pick the device and set torch's thread number.

    Parameters
    ----------
    name : str
        "auto" takes a CUDA GPU if there is one, else the processor.
    precision : str
        "auto" takes bfloat16 where the hardware computes it, else float32; "int8" does the same for what is
        not quantised.
    threads : int, optional
        Threads on the processor; torch's own choice when left out.

    Raises
    ------
    DeviceError
        When "cuda" is asked for and torch sees no such GPU.
    ConfigurationError
        When the name or the number of threads makes no sense.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigurationError(f"device {name!r} is unknown", "use auto, cpu or cuda")
    if threads is not None and threads < 1:
        raise ConfigurationError(f"threads = {threads} is not possible", "use 1 or more")
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise DeviceError("device cuda was asked for, but torch sees no CUDA GPU", "use --device cpu or auto")
    chosen = "cuda" if has_cuda and name != "cpu" else "cpu"
    if threads is not None:
        torch.set_num_threads(threads)
    device = Device(chosen, _number_type(chosen, precision), torch.get_num_threads())
    _logger.info("computing on %s", device.describe())
    return device


def computes_bfloat16(name: str) -> bool:
    """Say whether the hardware computes bfloat16 itself: emulated, it is slower than float32."""
    if name == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def computes_int8(name: str) -> bool:
    """Say whether the hardware multiplies and adds bytes in one instruction (VNNI)."""
    able = torch.cpu.get_capabilities() if name == "cpu" else {}
    return bool(able.get("avx512_vnni") or able.get("avx_vnni") or able.get("amx_int8"))


def _number_type(name: str, precision: Precision) -> torch.dtype:
    if precision in ("auto", "int8"):
        return torch.bfloat16 if computes_bfloat16(name) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


# Which GPUs this process may use, named so that another process can be given just one of them.


def visible_gpus() -> tuple[str, ...]:
    """Return what to set `CUDA_VISIBLE_DEVICES` to for each GPU in turn; empty without one."""
    number = torch.cuda.device_count()
    named = [
        entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if entry.strip()
    ]
    return tuple(named[:number] if named else map(str, range(number)))
