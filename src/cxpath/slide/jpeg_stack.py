"""Several tiles of one kind as one JPEG stream, one below the other, with restart markers between them.

Setting up a decoder for each tile costs about a twentieth of decoding it; a stack of four pays once. Restart
markers begin each tile anew, so its pixels are the same as alone. Knows streams, not what they show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cxpath.slide.jpeg_stream import StreamHead

_END = b"\xff\xd9"
_SEQUENTIAL = {0xC0, 0xC1}
_RESTART_INTERVAL, _SCAN = 0xDD, 0xDA
_RESTARTS = tuple(bytes((0xFF, 0xD0 + number)) for number in range(8))
_MOST_ROWS = 65_535


@dataclass(frozen=True)
class Stacking:
    """How tiles with one head are stacked.

    Parameters
    ----------
    before_height, after_height, scan : bytes
        The completed head, cut where the height stands and before SOS.
    height_px : int
        Of one tile.
    blocks : int
        Coding units (MCU) of one tile.
    halves_rows : bool
        Whether colour is stored at every second row. Decoded in full, such rows are blended with those
        above and below, of the next tile too, so these are stacked only when they are shrunk.
    """

    before_height: bytes
    after_height: bytes
    scan: bytes
    height_px: int
    blocks: int
    halves_rows: bool

    def suits(self, shrink: int) -> bool:
        """Say whether stacked tiles decode to the same pixels as alone."""
        return shrink > 1 or not self.halves_rows

    def joined(self, bodies: Sequence[memoryview]) -> bytes | None:
        """Return one stream of several tiles' compressed pixels; None if one has no proper end."""
        if any(body[-2:] != _END for body in bodies) or self.height_px * len(bodies) > _MOST_ROWS:
            return None
        parts: list[bytes | memoryview] = [
            self.before_height,
            (self.height_px * len(bodies)).to_bytes(2, "big"),
            self.after_height,
            b"\xff\xdd\x00\x04",
            self.blocks.to_bytes(2, "big"),
            self.scan,
        ]
        for number, body in enumerate(bodies):
            parts += (body[:-2], _RESTARTS[number % 8])
        parts[-1] = _END
        return b"".join(parts)


def stacking_of(head: StreamHead, completed: bytes) -> Stacking | None:
    """Return how tiles with this head are stacked; None where they had better not be.

    Parameters
    ----------
    head : StreamHead
        As found in the tile.
    completed : bytes
        What `head.completed` made of it.
    """
    frame, scan = head.frame, head.segments[-1]
    samplings = [frame.data[place] for place in range(11, 20, 3)]
    across, down = samplings[0] >> 4, samplings[0] & 15
    blocks = -(-head.width_px // (8 * across)) * -(-head.height_px // (8 * down)) if samplings[0] else 0
    simple = (
        frame.marker in _SEQUENTIAL
        and scan.data[4] == 3
        and samplings[1:] == [0x11, 0x11]
        and (across, down) in {(1, 1), (2, 1), (2, 2)}
        and head.height_px % (8 * down) == 0
        and 0 < blocks <= 65_535
    )
    place = completed.find(frame.data)
    start_of_scan = len(completed) - len(scan.data)
    restarts = bytes((0xFF, _RESTART_INTERVAL, 0, 4)) in completed
    if not simple or restarts or place < 0 or not completed.endswith(scan.data):
        return None
    return Stacking(
        before_height=completed[: place + 5],
        after_height=completed[place + 7 : start_of_scan],
        scan=scan.data,
        height_px=head.height_px,
        blocks=blocks,
        halves_rows=down > 1,
    )
