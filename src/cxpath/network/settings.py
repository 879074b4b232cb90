"""What a lab may set about running the network. Imports no torch, so that the configuration stays quick."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cxpath.values.settings import Settings


class NetworkSettings(Settings):
    """Section `[network]` of the configuration."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto takes bfloat16 where the hardware computes it, else float32."""

    batch_size: int = Field(default=0, ge=0)
    """Tiles per forward pass; 0 takes 2 on a processor and 16 on a GPU."""

    threads: int = Field(default=0, ge=0)
    """Threads on the processor; 0 leaves the choice to torch."""

    centre_threshold: float | None = Field(default=None, gt=0, lt=1)
    """A centre less likely than this is no cell; unset takes the model card's."""

    def effective_batch_size(self, device: str) -> int:
        """Return the batch size after 0 has been resolved for a device ("cpu" or "cuda")."""
        return self.batch_size or (16 if device == "cuda" else 2)
