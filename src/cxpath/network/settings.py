"""What a lab may set about running the network. Imports no torch, so that the configuration stays quick."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cxpath.data import Settings


class NetworkSettings(Settings):
    """Section `[network]` of the configuration."""

    engine: Literal["auto", "torch", "openvino"] = "torch"
    """What runs the network. `openvino` is faster on CPUs and needs `pip install 'cxpath[openvino]'`; `auto`
    uses it if it is installed and known to be faster."""

    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    """`auto` means bfloat16 if the hardware supports it, otherwise float32; with engine `auto` also int8, if
    the model's card says that it was validated. `int8` needs OpenVINO."""

    batch_size: int = Field(default=0, ge=0)
    """Tiles per forward pass; 0 means 1 on a CPU and 16 on a GPU."""

    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to torch."""

    centre_threshold: float | None = Field(default=None, gt=0, lt=1)
    """A centre less likely than this is not a cell; if unset, the model card's."""

    match_stains: bool = True
    """Whether the network sees a slide whose stain colours are unlike any in its training in familiar ones;
    false shows every slide as it is."""

    @model_validator(mode="after")
    def _int8_is_openvinos(self) -> Self:
        if self.precision == "int8" and self.engine == "torch":
            raise ValueError("precision int8 needs engine openvino")
        return self

    def effective_batch_size(self, device: str) -> int:
        """Return the batch size after 0 has been resolved for a device ("cpu" or "cuda")."""
        return self.batch_size or (16 if device == "cuda" else 1)
