"""The fast path: JPEG tiles read straight from the file and decoded as a stack."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from cxpath.errors import UnreadableSlideError
from cxpath.slide.jpeg import (
    DamagedStreamError,
    JpegLevel,
    NotFastError,
    StreamError,
    UnknownStreamError,
    decode,
    memory_for,
    read_head,
)
from cxpath.slide.pixels import WHITE, block_mean, overlay

# A file read at any place by any number of threads; closed when the last of them is done with it.


_POSITIONAL = hasattr(os, "pread")


class OpenFile:
    """An open file without a position of its own.

    It has no `close`: a number of a closed file may be given to another file while a thread still reads
    from it. Let go of it instead.
    """

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._size = os.fstat(self._number).st_size
        self._lock = threading.Lock()

    def read(self, length: int, place: int) -> bytes:
        """Return up to `length` bytes from `place` on; fewer only at the end of the file.

        Memory is set aside for what the file contains, whatever a damaged length says.
        """
        length = min(length, self._size - place)
        if length <= 0:
            return b""
        if _POSITIONAL:
            found = os.pread(self._number, length, place)
        else:  # Windows
            with self._lock:
                os.lseek(self._number, place, os.SEEK_SET)
                found = os.read(self._number, length)
        if 0 < len(found) < length:  # a network share may give less than asked
            found += self.read(length - len(found), place + len(found))
        return found

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            os.close(self._number)


# The tiles decoded last, within a budget of bytes, for any number of threads.


_DECODING_LOCKS = 64


class TileCache:
    """Keeps decoded tiles; forgets the one used longest ago.

    Parameters
    ----------
    most_bytes : int
        Budget; a tile that alone exceeds it is not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._tiles: LRUCache[Hashable, NDArray[np.uint8]] = LRUCache(most_bytes, getsizeof=_size)
        self._lock = threading.Lock()
        self._decoding = [threading.Lock() for _ in range(_DECODING_LOCKS)]

    def get(self, key: Hashable, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the tile under the key; of several threads that miss it at once, one decodes it."""
        with self._decoding[hash(key) % _DECODING_LOCKS]:
            tile = self._held(key)
            if tile is None:
                tile = decode()
                self._keep(key, tile)
        return tile

    def _held(self, key: Hashable) -> NDArray[np.uint8] | None:
        with self._lock:
            return self._tiles.get(key)

    def _keep(self, key: Hashable, tile: NDArray[np.uint8]) -> None:
        with self._lock, suppress(ValueError):  # a tile larger than the budget is not kept
            self._tiles[key] = tile


def _size(tile: NDArray[np.uint8]) -> int:
    return tile.nbytes


# The compressed tiles of one level, read from the file and made whole for a decoder. Decodes nothing.


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
        As stored in the file.
    completed : bytes
        A head that stands alone.
    """

    found: bytes
    completed: bytes


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
        self._head = TileHead(b"", b"")

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
            raise NotFastError(f"a tile contains {head.width_px} x {head.height_px} px")
        return TileHead(head.data, completed)


# The fast tile path: regions of a level put together from its JPEG tiles, decoded as small as is asked.
#
# Reads compressed tiles by their place in the file and decodes them straight at 1/1, 1/2, 1/4 or 1/8. Knows
# levels and shrinks; µm/px and other sizes in between are the slide's.


CACHE_BYTES = 64 * 1024 * 1024
_RIM_TILES = 2
"""How deep a region shares tiles with its neighbours: halos reach into their neighbour's tiles."""

Picture = NDArray[np.uint8]


class JpegTiles:
    """The levels of a file that are stored as JPEG tiles. Any number of threads may read at once.

    Parameters
    ----------
    path : Path
    shown : str
        How messages name the file.
    levels : mapping of int to JpegLevel
        By the index of the slide's level.
    colours : ColourRule
    """

    def __init__(
        self,
        path: Path,
        shown: str,
        levels: Mapping[int, JpegLevel],
        colours: ColourRule,
    ) -> None:
        self.levels = dict(levels)
        self.shown = shown
        self._streams = {index: TileStreams(level, colours) for index, level in levels.items()}
        self._file: OpenFile | None = OpenFile(path)
        self._cache = TileCache(CACHE_BYTES)
        self._own = threading.local()

    def close(self) -> None:
        """Let go of the file."""
        self._file = None

    def read(self, index: int, shrink: int, x_px: int, y_px: int, width: int, height: int) -> Picture:
        """Read a region of a level, decoded at 1/shrink, in pixels of that size.

        Parameters
        ----------
        index : int
            Of the slide's level.
        shrink : int
            One of the level's `shrinks`.
        x_px, y_px, width, height : int
            Inside the level, which is ceil(size / shrink) large; where the level ends within a pixel,
            the rest of that pixel is white.

        Raises
        ------
        UnreadableSlideError
            When a tile is damaged.
        NotFastError
            When a tile is stored in a way that is left to the library.
        ValueError
            When the file is closed.
        """
        file = self._file
        if file is None:
            raise ValueError("the slide is closed")
        try:
            return self._region(file, index, shrink, x_px, y_px, width, height)
        except DamagedTileError as error:
            raise self._damaged(index, error) from error
        except OSError as error:
            raise UnreadableSlideError(
                f"{self.shown}: cannot be read: {error.strerror}", "check the disk or the network share"
            ) from error

    def stored(self, index: int, column: int, row: int) -> bytes | None:
        """Return a tile as it is stored, made a JPEG file that stands alone.

        None where the level's edge cuts it, where it was never written, or where it is damaged or stored in a
        way that is left to the library.
        """
        file, level = self._file, self.levels[index]
        if file is None or not (0 <= column < level.whole_across and 0 <= row < level.whole_down):
            return None
        number = row * level.across + column
        try:
            (stream,) = self._streams[index].read(file, range(number, number + 1))
        except (DamagedTileError, NotFastError, OSError):
            return None
        return stream.whole if stream else None

    def _region(
        self, file: OpenFile, index: int, shrink: int, x_px: int, y_px: int, width: int, height: int
    ) -> Picture:
        level = self.levels[index]
        tile_width, tile_height = level.tile_width_px // shrink, level.tile_height_px // shrink
        columns = range(x_px // tile_width, (x_px + width - 1) // tile_width + 1)
        rows = range(y_px // tile_height, (y_px + height - 1) // tile_height + 1)
        shared = not _on_grid(level, shrink, x_px, y_px, width, height)
        region = np.empty((height, width, 3), dtype=np.uint8)
        for row in rows:
            own = _own_columns(columns, rows, row) if shared else columns
            top = row * tile_height - y_px
            for column in columns:
                if column not in own:
                    tile = self._kept(file, index, shrink, row, column)
                    overlay(region, tile, column * tile_width - x_px, top)
            for column, tile in self._decoded(file, index, shrink, row, own):
                overlay(region, tile, column * tile_width - x_px, top)
        return region

    def _kept(self, file: OpenFile, index: int, shrink: int, row: int, column: int) -> Picture:
        """Return a tile that the neighbours of the region want too."""

        def decoded() -> Picture:
            ((_, tile),) = self._decoded(file, index, shrink, row, range(column, column + 1))
            return tile.copy()  # out of this thread's own memory

        return self._cache.get((index, shrink, row, column), decoded)

    def _decoded(
        self, file: OpenFile, index: int, shrink: int, row: int, columns: range
    ) -> Iterator[tuple[int, Picture]]:
        """Decode tiles of a row from left to right and give each with its column.

        A tile lies in this thread's own memory until the next one is asked for.
        """
        first = row * self.levels[index].across
        numbers = range(first + columns.start, first + columns.stop)
        for column, stream in zip(columns, self._streams[index].read(file, numbers), strict=True):
            yield column, self._single(stream, index, shrink, row, column)

    def _single(self, stream: TileStream | None, index: int, shrink: int, row: int, column: int) -> Picture:
        if stream is None:
            return _glass(self.levels[index], shrink)
        level = self.levels[index]
        width, height = level.tile_width_px, level.tile_height_px
        try:
            if row < level.whole_down and column < level.whole_across:
                return decode(stream.whole, width, height, shrink, self._memory(level, shrink))
            return _ragged(stream.whole, level, row, column, shrink)
        except DamagedStreamError as error:
            raise DamagedTileError(row * level.across + column, error) from error

    def _memory(self, level: JpegLevel, shrink: int) -> Picture:
        """Return this thread's own memory for a tile that is laid into its region at once."""
        width, height = level.tile_width_px // shrink, level.tile_height_px // shrink
        held: Picture | None = getattr(self._own, "memory", None)
        if held is None or held.shape != (height, width, 3):
            held = self._own.memory = memory_for(width, height)
        return held

    def _damaged(self, index: int, error: DamagedTileError) -> UnreadableSlideError:
        level = self.levels[index]
        row, column = divmod(error.number, level.across)
        return UnreadableSlideError(
            f"{self.shown}: damaged in tile column {column}, row {row} of level {index} "
            f"(x {column * level.tile_width_px}, y {row * level.tile_height_px} there): {error}",
            "copy the file again from the scanner or the archive",
        )


def _glass(level: JpegLevel, shrink: int) -> Picture:
    """Return what a tile shows that was never written."""
    shape = (level.tile_height_px // shrink, level.tile_width_px // shrink, 3)
    return np.broadcast_to(np.uint8(WHITE), shape)


def _own_columns(columns: range, rows: range, row: int) -> range:
    """Return the columns of a row of tiles that a region shares with no neighbour."""
    if not rows.start + _RIM_TILES <= row < rows.stop - _RIM_TILES:
        return range(0)
    return range(columns.start + _RIM_TILES, columns.stop - _RIM_TILES)


def _on_grid(level: JpegLevel, shrink: int, x_px: int, y_px: int, width: int, height: int) -> bool:
    """Say whether a region cuts through no tile, so that its neighbours need none of its tiles."""
    ends = (
        (x_px, width, level.tile_width_px, level.width_px),
        (y_px, height, level.tile_height_px, level.height_px),
    )
    return all(
        start * shrink % tile == 0
        and ((start + length) * shrink % tile == 0 or (start + length) * shrink >= size)
        for start, length, tile, size in ends
    )


def _ragged(stream: bytes, level: JpegLevel, row: int, column: int, shrink: int) -> Picture:
    """Decode a tile that the level's edge cuts; what its last pixels contain beyond the edge is white.

    All its pixels are decoded and averaged: in the DCT domain the filling beyond the edge would shine in.
    """
    pixels = decode(stream, level.tile_width_px, level.tile_height_px, 1)
    pixels = pixels[
        : level.height_px - row * level.tile_height_px, : level.width_px - column * level.tile_width_px
    ]
    if shrink == 1:
        return pixels
    height, width = -(-pixels.shape[0] // shrink), -(-pixels.shape[1] // shrink)
    whole = np.full((height * shrink, width * shrink, 3), WHITE, dtype=np.uint8)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return block_mean(whole, height, width, shrink)
