"""Identity of a slide: SHA-256 of all bytes that belong to it, computed once.

Names do not enter the digest, so a renamed or pseudonymised copy of a slide keeps its identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cxpath.slide import digest_cache
from cxpath.slide.slide_files import files_of
from cxpath.values.errors import UnreadableSlideError


def slide_digest(path: Path, vendor: str = "") -> str:
    """Return the SHA-256 of a slide, hexadecimal.

    One file: the SHA-256 of its bytes. Several (MRXS, DICOM, VMS): the SHA-256 over the sorted SHA-256
    of each, one hexadecimal line a file.

    Parameters
    ----------
    path : Path
        The file the slide is opened by.
    vendor : str
        OpenSlide's vendor name, which says what else belongs to the slide.

    Raises
    ------
    UnreadableSlideError
        When a file cannot be read to its end.
    """
    try:
        files = files_of(path, vendor)
        key = digest_cache.key_of(files)
        digest = digest_cache.recall(key)
        if digest is None:
            digest = _digest(files)
            digest_cache.remember(key, digest)
    except OSError as error:
        raise UnreadableSlideError(
            f"{path}: cannot be read to its end: {error.strerror}", "check the disk or the network share"
        ) from error
    return digest


def _digest(files: Sequence[Path]) -> str:
    digests = sorted(_file_digest(file) for file in files)
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
