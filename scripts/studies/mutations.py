"""Damage a file as a fuzzer does: in its bytes, in its words and lines, or in the structure of its form.

`mutated` is a function of the content, its form and a random generator only: the same seed damages alike.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

Damage = Callable[[bytes, random.Random], bytes]


class Form(StrEnum):
    """What a file is made of; chooses the damages that get past the first look of its reader."""

    BYTES = "bytes"
    TEXT = "text"
    JSON = "json"
    TIFF = "tiff"
    PNG = "png"
    ZIP = "zip"
    PARQUET = "parquet"


# Any bytes.

_INTEGERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_TINY = (
    b"",
    b"\0",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"PAR1",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"II*\0",
    b"{}",
    b"[]",
)


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    """Flip up to eight bits."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_integer(content: bytes, rng: random.Random) -> bytes:
    """Overwrite a few bytes with an integer at the edge of its type."""
    form = rng.choice(("<B", "<H", ">H", "<I", ">I", "<Q"))
    packed = struct.pack(form, rng.choice(_INTEGERS) % 256 ** struct.calcsize(form))
    at = _place(content, rng)
    return content[:at] + packed + content[at + len(packed) :]


def lose_span(content: bytes, rng: random.Random) -> bytes:
    """Leave a part out."""
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def repeat_span(content: bytes, rng: random.Random) -> bytes:
    """Write a part several times."""
    start, end = _span(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 2, 8)) + content[end:]


def move_span(content: bytes, rng: random.Random) -> bytes:
    """Write a part over another place."""
    start, end = _span(content, rng)
    at = _place(content, rng)
    return content[:at] + content[start:end] + content[at + end - start :]


def blank_span(content: bytes, rng: random.Random) -> bytes:
    """Overwrite a part with zeros or with noise."""
    start, end = _span(content, rng)
    filling = bytes(end - start) if rng.random() < 0.5 else rng.randbytes(end - start)
    return content[:start] + filling + content[end:]


def cut_off(content: bytes, rng: random.Random) -> bytes:
    """End early, as a copy that broke off."""
    return content[: rng.randrange(len(content))]


def put_tiny(content: bytes, rng: random.Random) -> bytes:
    """Write the mark of some form in front, or nothing else at all."""
    return rng.choice(_TINY) + (content if rng.random() < 0.7 else b"")


def _place(content: bytes, rng: random.Random) -> int:
    """Return a position, every second time in the first 512 bytes, where headers lie."""
    return rng.randrange(min(len(content), 512) if rng.random() < 0.5 else len(content))


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = _place(content, rng)
    return start, min(len(content), start + rng.choice((1, 2, 4, 16, 64, 512)))


_OF_BYTES: tuple[Damage, ...] = (
    flip_bits, set_integer, lose_span, repeat_span, move_span, blank_span, cut_off, put_tiny,
)  # fmt: skip


# Words and lines.

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORD = re.compile(rb"[A-Za-z_]{2,}|-?\d+(?:\.\d+)?")
_WORDS = (
    *("nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "-1", "0", "-0.0", "²", "１２", "1,020", "1.020"),
    *(
        "1_000",
        "0x10",
        "5%",
        "TRUE",
        "null",
        "None",
        "",
        " ",
        "2147483648",
        "4294967296",
        "9" * 30,
        "9" * 5000,
    ),
    *("\ufeff", "\u200b", "\u0085", "\u2028", "\x0c", "e\u0301", "ß", "İ", "\0", "\\ud800", "\\", "../../x"),
    *('"', "'", "|", ";", ",", "\t", "\r", "\n", "=", "<", ">", "&", "%", "=cmd|' '!A0"),
    *("a" * 200_000, "[" * 3000, "{" * 3000),
)


def change_word(content: bytes, rng: random.Random) -> bytes:
    """Put an awkward word in the place of a word or a number."""
    found = list((_NUMBER if rng.random() < 0.5 else _WORD).finditer(content, 0, 200_000))
    if not found:
        return put_tiny(content, rng)
    match = rng.choice(found)
    return content[: match.start()] + rng.choice(_WORDS).encode() + content[match.end() :]


def insert_word(content: bytes, rng: random.Random) -> bytes:
    """Put an awkward word somewhere."""
    at = _place(content, rng)
    return content[:at] + rng.choice(_WORDS).encode() + content[at:]


def exchange_words(content: bytes, rng: random.Random) -> bytes:
    """Write one word of the file in the place of another."""
    found = list(_WORD.finditer(content, 0, 200_000))
    if len(found) < 2:
        return put_tiny(content, rng)
    one, other = rng.sample(found, 2)
    return content[: one.start()] + other.group() + content[one.end() :]


def change_lines(content: bytes, rng: random.Random) -> bytes:
    """Lose, repeat, exchange or empty a line."""
    lines = content.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            lines[at] = b""
    return b"\n".join(lines)


def change_fields(content: bytes, rng: random.Random) -> bytes:
    """Lose, repeat or exchange a field of one line, or of every line: a column."""
    separator = rng.choice((b",", b"\t", b";", b"|", b" "))
    lines = content.split(b"\n")
    chosen = range(len(lines)) if rng.random() < 0.5 else [rng.randrange(len(lines))]
    column, kind = rng.randrange(12), rng.randrange(3)
    for number in chosen:
        fields = lines[number].split(separator)
        at = column % len(fields)
        match kind:
            case 0:
                del fields[at]
            case 1:
                fields.append(fields[at])
            case _:
                fields[at], fields[0] = fields[0], fields[at]
        lines[number] = separator.join(fields)
    return b"\n".join(lines)


def write_otherwise(content: bytes, rng: random.Random) -> bytes:
    """Write the same text with another encoding, line end, separator or case, or gzipped."""
    text = content.decode("utf-8", "replace")
    return rng.choice(
        (
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-16-be"),
            lambda: text.encode("latin-1", "replace"),
            lambda: b"\xef\xbb\xbf" + content,
            lambda: content.replace(b"\n", b"\r"),
            lambda: content.replace(b"\n", b"\r\n"),
            lambda: content.replace(b",", b";"),
            lambda: content.replace(b",", b"\t"),
            lambda: content.replace(b"\t", b" "),
            content.upper,
            content.lower,
            lambda: gzip.compress(content),
            lambda: gzip.compress(content)[: len(content) // 8],
            lambda: b"sep=;\n" + content,
        )
    )()


_OF_TEXT: tuple[Damage, ...] = (
    change_word, change_word, insert_word, exchange_words, change_lines, change_fields, write_otherwise,
)  # fmt: skip


# JSON: another value, key or depth.

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, -1e308, float("nan"), float("inf"), 10**400, 2**63),
    *("", "NaN", "1,5", "²", "\ud800", "x" * 100_000),
    *([], {}, [[]], [[[]]], [None], {"": None}, [1, 2], [[1, 2], [3, 4]], {"type": []}),
)


def change_node(content: bytes, rng: random.Random) -> bytes:
    """Change one value of a document: exchange it, lose it, repeat it, rename its key, or bury it."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return change_word(content, rng)
    holders = [node for node in _nodes(document) if node]
    if not holders:
        return json.dumps(rng.choice(_VALUES)).encode()
    holder = rng.choice(holders)
    key: Any = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    _change(holder, key, holders, rng)
    try:
        return json.dumps(document).encode()
    except RecursionError:  # it was buried deeper than the encoder goes
        return change_word(content, rng)


def _change(holder: Any, key: Any, holders: Sequence[Any], rng: random.Random) -> None:
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "x", "type", "class", "name", str(key).upper()))] = holder.pop(key)
        case 1:
            holder.insert(0, holder[key])
        case 2:
            holder[key] = json.loads(json.dumps(rng.choice(holders)))
        case 3:
            holder[key] = [holder[key]]
        case 4 if rng.random() < 0.2:
            for _ in range(rng.choice((3, 400))):
                holder[key] = [holder[key]]
        case _:
            holder[key] = rng.choice(_VALUES)


def _nodes(value: Any) -> list[Any]:
    """Return every list and object of a document, at most 5,000."""
    found, open_nodes = list[Any](), [value]
    while open_nodes and len(found) < 5000:
        node = open_nodes.pop()
        if isinstance(node, dict | list):
            found.append(node)
            open_nodes.extend(node.values() if isinstance(node, dict) else node)
    return found


# TIFF: an entry of a directory.

_ENTRY = {"little": "<HHII", "big": ">HHII"}
_TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    273,
    277,
    278,
    279,
    282,
    284,
    296,
    317,
    320,
    322,
    323,
    324,
    325,
    330,
    338,
    530,
)


def change_entry(content: bytes, rng: random.Random) -> bytes:
    """Change the tag, the type, the count or the value of one directory entry of a TIFF."""
    order = "big" if content[:2] == b"MM" else "little"
    places = _entries(content, order)
    if not places:
        return set_integer(content, rng)
    at = rng.choice(places)
    fields = list(struct.unpack_from(_ENTRY[order], content, at))
    part = rng.choice((0, 1, 2, 3, 3, 3))
    fields[part] = rng.choice((_TAGS, range(20), _INTEGERS, _INTEGERS)[part])
    return content[:at] + struct.pack(_ENTRY[order], *fields) + content[at + 12 :]


def _entries(content: bytes, order: str) -> list[int]:
    """Return where the entries of all directories of a classic TIFF begin."""
    sign, found, seen = (">" if order == "big" else "<"), list[int](), set[int]()
    if len(content) < 8 or content[2:4] not in {b"*\0", b"\0*"}:
        return []
    (at,) = struct.unpack_from(f"{sign}I", content, 4)
    while 8 <= at < len(content) - 6 and at not in seen:
        seen.add(at)
        (number,) = struct.unpack_from(f"{sign}H", content, at)
        found += [place for place in range(at + 2, at + 2 + 12 * number, 12) if place + 12 <= len(content)]
        end = at + 2 + 12 * number
        at = struct.unpack_from(f"{sign}I", content, end)[0] if end + 4 <= len(content) else 0
    return found


# PNG: a chunk, with the right checksum.

_PNG_START = b"\x89PNG\r\n\x1a\n"


def change_chunk(content: bytes, rng: random.Random) -> bytes:
    """Damage, lose, repeat or exchange one chunk of a PNG."""
    chunks = _chunks(content)
    if not chunks:
        return flip_bits(content, rng)
    at = rng.randrange(len(chunks))
    match rng.randrange(6):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[at])
        case 2:
            chunks[at] = (rng.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"IDAT")), chunks[at][1])
        case _:
            chunks[at] = (chunks[at][0], _chunk_data(*chunks[at], rng))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return _PNG_START + b"".join(packed)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, at = list[tuple[bytes, bytes]](), len(_PNG_START)
    while content.startswith(_PNG_START) and at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _chunk_data(kind: bytes, data: bytes, rng: random.Random) -> bytes:
    """Return the damaged content of a chunk; pixels are unpacked for it."""
    try:
        if kind == b"IDAT":
            return zlib.compress(rng.choice(_OF_BYTES)(zlib.decompress(data) or b"\0", rng), 1)
    except zlib.error:
        pass
    return rng.choice((flip_bits, set_integer, lose_span))(data or b"\0", rng)


# Zip archives (workbooks) and gzip: damage inside, packed again with the right checksum.


def change_member(content: bytes, rng: random.Random) -> bytes:
    """Damage one member of an archive, lose it or name it otherwise."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, EOFError):
        return flip_bits(content, rng)
    if not members:
        return flip_bits(content, rng)
    name = rng.choice(list(members))
    part = members.pop(name)
    if rng.random() < 0.9:
        members[name if rng.random() < 0.95 else f"{name}x"] = mutated(part or b" ", Form.TEXT, rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, held in members.items():
            archive.writestr(member, held)
    return file.getvalue()


# Parquet: a whole file of other columns, types, values or metadata.

_TYPES = (
    pa.string(),
    pa.int8(),
    pa.int64(),
    pa.float16(),
    pa.float64(),
    pa.bool_(),
    pa.binary(),
    pa.large_string(),
)


def change_table(content: bytes, rng: random.Random) -> bytes:
    """Change a column, a value or the metadata of a table, and write it anew."""
    for _ in range(8):  # not every value fits every type
        try:
            table = pq.read_table(io.BytesIO(content))
            changed = rng.choice((_other_metadata, _other_column, _other_values, _other_columns))(table, rng)
            file = io.BytesIO()
            pq.write_table(changed, file)
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError):
            continue
        return file.getvalue()
    return flip_bits(content, rng)


def _other_metadata(table: pa.Table, rng: random.Random) -> pa.Table:
    metadata = dict(table.schema.metadata or {b"cxpath": b"{}"})
    key = rng.choice(list(metadata))
    metadata[key] = (
        change_node(metadata[key], rng) if rng.random() < 0.8 else mutated(metadata[key], Form.TEXT, rng)
    )
    return table.replace_schema_metadata(metadata)


def _other_column(table: pa.Table, rng: random.Random) -> pa.Table:
    at = rng.randrange(table.num_columns)
    column = table.column(at)
    plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    other = pa.nulls(len(table)) if rng.random() < 0.2 else plain.cast(rng.choice(_TYPES), safe=False)
    return table.set_column(at, table.column_names[at], other)


def _other_values(table: pa.Table, rng: random.Random) -> pa.Table:
    at = rng.randrange(table.num_columns)
    values = table.column(at).to_pylist()
    for _ in range(rng.choice((1, 3, len(values)))):
        awkward = (None, 0, -1, 2, 1e308, float("nan"), float("inf"), -1e30, "tumour", "", "²")
        values[rng.randrange(len(values))] = rng.choice(awkward)
    return table.set_column(at, table.column_names[at], pa.array(values))


def _other_columns(table: pa.Table, rng: random.Random) -> pa.Table:
    at, name = rng.randrange(table.num_columns), rng.choice((*table.column_names, "", "x\0y", "Image"))
    match rng.randrange(3):
        case 0:
            return table.remove_column(at)
        case 1:
            return table.append_column(name, table.column(at))
        case _:
            return table.rename_columns(
                [name if place == at else old for place, old in enumerate(table.column_names)]
            )


_OF_FORM: dict[Form, tuple[Damage, ...]] = {
    Form.BYTES: _OF_BYTES,
    Form.TEXT: (*_OF_TEXT, *_OF_TEXT, *_OF_BYTES),
    Form.JSON: (*(change_node,) * 60, *_OF_TEXT, *_OF_BYTES),
    Form.TIFF: (*(change_entry,) * 24, *_OF_BYTES),
    Form.PNG: (*(change_chunk,) * 24, *_OF_BYTES),
    Form.ZIP: (*(change_member,) * 32, *_OF_BYTES),
    Form.PARQUET: (*(change_table,) * 48, *_OF_BYTES),
}
MOST_BYTES = 8 * 2**20


def mutated(content: bytes, form: Form, rng: random.Random) -> bytes:
    """Return the content after one to four damages; never longer than 8 MiB."""
    if content[:2] == b"\x1f\x8b" and rng.random() < 0.7:
        return _inside_gzip(content, form, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_OF_FORM[form])(content or b"\0", rng)[:MOST_BYTES]
    return content


def _inside_gzip(content: bytes, form: Form, rng: random.Random) -> bytes:
    try:
        inside = gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return flip_bits(content, rng)
    return gzip.compress(mutated(inside or b"\0", form, rng), compresslevel=1)
