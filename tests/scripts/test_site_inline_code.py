"""Short code in running text is marked for the style sheet, and nothing else is."""

from __future__ import annotations

from scripts.site.inline_code import LONGEST, on_page_content


def test_short_code_is_marked() -> None:
    text = "<p><code>--config FILE</code> and <code>a &lt; b</code></p>"
    assert on_page_content(text).count('<code class="whole">') == 2


def test_long_code_and_blocks_are_left_alone() -> None:
    long = f"<p><code>{'x' * (LONGEST + 1)}</code></p>"
    block = '<div class="highlight"><pre><span></span><code>short\n</code></pre></div>'
    assert on_page_content(long + block) == long + block
