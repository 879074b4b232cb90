"""The compressed tiles of one level, read from the file and made whole for a decoder. Decodes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cxpath.slide.jpeg_level import JpegLevel, NotFastError
from cxpath.slide.jpeg_stack import Stacking, stacking_of
from cxpath.slide.jpeg_stream import StreamError, UnknownStreamError, read_head
from cxpath.slide.open_file import OpenFile

_MOST_GAP_BYTES = 16 * 1024
"""Tiles of a row mostly lie one behind the other; up to this much in between is read along."""


class DamagedTileError(ValueError):
    """A tile whose bytes are missing or wrong."""

    def __init__(self, number: int, reason: object) -> None:
        super().__init__(str(reason).removesuffix("."))
        self.number = number


@dataclass(frozen=True)
class ColourRule:
    """How the library that is the standard tells YCbCr from RGB.

    Parameters
    ----------
    markers_count : bool
        True as tifffile does: JFIF and Adobe markers of a tile win over the TIFF. False as OpenSlide does:
        the TIFF alone counts.
    """

    markers_count: bool


@dataclass(frozen=True, eq=False)
class TileHead:
    """A head that was met, and what takes its place; most tiles of a level have the same one.

    Parameters
    ----------
    found : bytes
        As it stands in the file.
    completed : bytes
        A head that stands alone.
    stacking : Stacking or None
        How tiles that have it are stacked.
    """

    found: bytes
    completed: bytes
    stacking: Stacking | None


class TileStream(NamedTuple):
    """One tile: its head and its compressed pixels up to the end of the stream."""

    head: TileHead
    body: memoryview

    @property
    def whole(self) -> bytes:
        """A stream that stands alone."""
        return b"".join((self.head.completed, self.body))


class TileStreams:
    """The streams of a level.

    Parameters
    ----------
    level : JpegLevel
    colours : ColourRule
    """

    def __init__(self, level: JpegLevel, colours: ColourRule) -> None:
        self.level = level
        self._colours = colours
        self._head = TileHead(b"", b"", None)

    def read(self, file: OpenFile, numbers: range) -> Iterator[TileStream | None]:
        """Give the stream of each tile, or None for one never written; tiles of a row at one go.

        Raises
        ------
        DamagedTileError
            When the file ends early or the bytes are no JPEG stream.
        NotFastError
            When a tile is stored in a way that is left to the library.
        """
        offsets, lengths = self.level.offsets, self.level.lengths
        start = end = 0
        data, view = b"", memoryview(b"")
        for number in numbers:
            length = lengths[number]
            if length == 0:
                yield None
                continue
            place = offsets[number]
            if not start <= place <= place + length <= end:
                start, end = place, self._end_of_run(number, numbers.stop)
                data = file.read(end - start, start)
                view = memoryview(data)
            place -= start
            if place + length > len(data):
                raise DamagedTileError(number, "the file ends within it")
            yield self._stream(number, data, view, place, place + length)

    def _end_of_run(self, number: int, stop: int) -> int:
        """Return where the last of the tiles ends that lie behind this one, each near the one before."""
        offsets, lengths = self.level.offsets, self.level.lengths
        end = offsets[number] + lengths[number]
        for following in range(number + 1, stop):
            gap = offsets[following] - end
            if lengths[following] and not 0 <= gap <= _MOST_GAP_BYTES:
                break
            if lengths[following]:
                end += gap + lengths[following]
        return end

    def _stream(self, number: int, data: bytes, view: memoryview, start: int, end: int) -> TileStream:
        head = self._head
        if not head.found or not data.startswith(head.found, start, end):
            head = self._head = self._new_head(number, data[start:end])
        return TileStream(head, view[start + len(head.found) : end])

    def _new_head(self, number: int, stream: bytes) -> TileHead:
        level = self.level
        try:
            head = read_head(stream)
            ycbcr = level.tagged_ycbcr
            if self._colours.markers_count and (ycbcr or head.is_jfif):
                ycbcr = head.stored_as_ycbcr
            completed = head.completed(level.tables, ycbcr=ycbcr)
        except UnknownStreamError as error:
            raise NotFastError(str(error)) from error
        except StreamError as error:
            raise DamagedTileError(number, error) from error
        if (head.width_px, head.height_px) != (level.tile_width_px, level.tile_height_px):
            raise NotFastError(f"a tile holds {head.width_px} x {head.height_px} px")
        return TileHead(head.data, completed, stacking_of(head, completed))
