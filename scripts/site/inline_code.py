"""Hook of MkDocs: a short piece of code in running text is never divided at the end of a line.

Browsers divide `--config` after its hyphens, and numbers where a table is narrow.
"""

from __future__ import annotations

import re
from typing import Any

LONGEST = 40
_SHORT = re.compile(rf"(?<!</span>)<code>(?=(?:[^<&]|&\w+;){{1,{LONGEST}}}</code>)")
"""Code of a block comes after an empty span, where Pygments keeps its place."""


def on_page_content(html: str, **_: Any) -> str:
    """Mark short pieces of code for the style sheet; called by MkDocs."""
    return _SHORT.sub('<code class="whole">', html)
