"""The tour as a picture, just as it was printed; nothing in it is fetched from anywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.terminal_theme import TerminalTheme

if TYPE_CHECKING:
    from rich.console import Console

# Ports differ from run to run; a picture that is kept should not.
_PORT: Final = re.compile(r"127\.0\.0\.1(:|%3A)\d{2,5}")

_NORMAL: Final = [
    (72, 79, 88),
    (255, 123, 114),
    (63, 185, 80),
    (210, 153, 34),
    (88, 166, 255),
    (188, 140, 255),
    (57, 197, 207),
    (177, 186, 196),
]
_BRIGHT: Final = [
    (110, 118, 129),
    (255, 161, 152),
    (86, 211, 100),
    (227, 179, 65),
    (121, 192, 255),
    (210, 168, 255),
    (86, 212, 221),
    (240, 246, 252),
]
_THEME: Final = TerminalTheme((13, 17, 23), (201, 209, 217), _NORMAL, _BRIGHT)

# rich's own format names a font on a content network; ours takes the reader's.
_FORMAT: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def to_svg(console: Console) -> str:
    """What a recording console has printed."""
    drawn = console.export_svg(title="ostiary demo", theme=_THEME, code_format=_FORMAT, unique_id="tour")
    return _PORT.sub(r"127.0.0.1\g<1>8080", drawn)
