"""How a slide's pixels are read: by the fast tile path, or by a library and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ReaderPath:
    """The way pixels took.

    Parameters
    ----------
    name : str
        "jpeg-tiles" when any level is read tile by tile, else the library: "openslide", "tifffile",
        "picture".
    fast_levels : tuple of int
        Stored levels read by the fast path; the others go through the library.
    because : str
        Why the other levels do not; empty when there are none.
    fallen_back : int
        Regions of fast levels that had to go through the library after all.
    """

    name: str
    fast_levels: tuple[int, ...] = ()
    because: str = ""
    fallen_back: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in `run.json`."""
        return asdict(self) | {"fast_levels": list(self.fast_levels)}
