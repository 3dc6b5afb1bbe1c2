"""Text as it may be shown: event text is hostile until it went through here.

`clean` says which characters may reach a terminal or a page at all, `cut` how long a text may be, measured as Slack and
browsers measure it, in UTF-16 units.
"""

import re
from collections.abc import Callable

_ESCAPES = re.compile("\x1b\\[[0-9;?]*[ -/]*[@-~]")
"""What colours a terminal or moves its cursor."""

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, and marks that turn the direction of a line: they make a text read as something else."""

_BROKEN = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs: they cannot be sent as UTF-8."""

_ELLIPSIS = "…"


def clean(text: str, *, lines: bool = True) -> str:
    """`text` without control characters, terminal escapes, lone surrogates and direction marks; stripped.

    With `lines` off it becomes one line, its white space collapsed.
    """
    straight = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = _BROKEN.sub("\ufffd", _UNSEEN.sub("", _ESCAPES.sub("", straight)))
    return seen.strip() if lines else " ".join(seen.split())


def length(text: str) -> int:
    """The length in UTF-16 units: an emoji counts as two, so a limit holds whoever counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int, *, escape: Callable[[str], str] = str, note: bool = False) -> str:
    """`escape(text)`, shortened so that it fits `limit` UTF-16 units, and visibly so.

    The text is shortened before it is escaped, so no entity is torn apart. `note` says how much there was.
    """
    tail = f"{_ELLIPSIS} (cut, {len(text)} characters)" if note and limit > 100 else _ELLIPSIS
    if len(text) <= limit * 4 and length(whole := escape(text)) <= limit:
        return whole
    text = text[: limit * 4]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = length(escape(text[:middle])) + length(tail) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    return escape(text[:low].rstrip()) + tail
