"""A real browser for pages that tests have written: headless Chromium, from Debian when it is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.debian_packages import require_program

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser() -> str:
    """Return the path of a browser; skip (in CI: fail) when none can be had."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return found or require_program("chromium", "chromium")


def seen(page: Path) -> str:
    """Return the document of a page as it stands once its scripts have run."""
    words = [browser(), *_QUIET, f"--user-data-dir={page.parent / 'browser'}", "--dump-dom", page.as_uri()]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout


def seen_after(page: Path, script: str) -> str:
    """Return the document after a script that stands for a reader's hand; the page's own policy applies."""
    copy = page.with_name(f"driven-{page.name}")
    html = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
    copy.write_text(html, encoding="utf-8")
    return seen(copy)


def printed_pages(page: Path) -> int:
    """Return how many sheets the browser prints a page on."""
    pdf = page.with_suffix(".pdf")
    profile = f"--user-data-dir={page.parent / 'browser'}"
    words = [browser(), *_QUIET, profile, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf.read_bytes()))
