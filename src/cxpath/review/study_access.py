"""Tokens of readers: random, shown once, kept as SHA-256 only.

A token has 256 random bits, so that its plain hash cannot be turned back or guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping


def new_token() -> str:
    """Return a token of 43 letters that are safe in a link."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def reader_of(token: str, hashes: Mapping[str, str]) -> str | None:
    """Return whose token it is; None where it is nobody's.

    Every hash is compared, in constant time.
    """
    given = token_hash(token)
    found = [reader for reader, kept in hashes.items() if hmac.compare_digest(given, kept)]
    return found[0] if found else None
