"""Charts of a back-test report as SVG: columns over time, bars by name, incidents as strips. Pure text, no script.

Colours are CSS variables of the page, so one drawing serves light and dark; every chart has a title and a description
for those who do not see it, and the page has its numbers in a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 960
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 34
_NAMES = 250
_WIDE = 90
_ROW = 26
_LABELS = 12
"""About so many labels fit beneath an axis."""


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one kind; `style` is a CSS class of the page: `old`, `new` or `late`."""

    name: str
    style: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Strip:
    """A stretch on a lane, from and to as shares of the whole; `style` as above."""

    start: float
    end: float
    style: str
    words: str


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _svg(height: float, name: str, words: str, parts: Sequence[str]) -> str:
    title, about = escape(name), escape(words)
    head = f'<svg viewBox="0 0 {WIDTH} {_number(height)}" role="img" aria-label="{title}. {about}">'
    return "\n".join([head, f"<title>{title}</title><desc>{about}</desc>", *parts, "</svg>"])


def _text(x: float, y: float, words: str, anchor: str = "middle", style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, style: str, *, words: str) -> str:
    shape = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
    return f'<rect class="{style}" {shape}><title>{escape(words)}</title></rect>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"/>'


def _ceiling(highest: float) -> tuple[float, float]:
    """A round number that nothing exceeds, and the distance of the lines below it."""
    step = next(s * 10**e for e in range(12) for s in (1, 2, 5) if highest <= 5 * s * 10**e)
    lines = max(1, -(-int(highest) // step))
    return float(lines * step), float(step)


def columns(name: str, words: str, labels: Sequence[str], series: Sequence[Series], height: float = 220) -> str:
    """Columns side by side for each label, one a series."""
    top, step = _ceiling(max((v for each in series for v in each.values), default=0.0))
    inner, floor = WIDTH - _LEFT - _RIGHT, height - _BOTTOM
    scale = (floor - _TOP) / top
    parts = [part for at in range(int(top / step) + 1) for part in _rule(at * step, floor - at * step * scale)]
    slot = inner / max(1, len(labels))
    wide = max(0.6, slot * 0.8 / len(series))
    for place, each in enumerate(series):
        for at, value in enumerate(each.values):
            if value:
                x = _LEFT + at * slot + slot * 0.1 + place * wide
                told = f"{labels[at]}: {each.name} {_number(value)}"
                parts.append(_box(x, floor - value * scale, wide, value * scale, each.style, words=told))
    every = -(-len(labels) // _LABELS) if labels else 1
    for at in range(0, len(labels), every):
        parts.append(_text(_LEFT + (at + 0.5) * slot, floor + 16, labels[at]))
    return _svg(height, name, words, parts)


def _rule(value: float, y: float) -> list[str]:
    return [_line(_LEFT, y, WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, _number(value), "end")]


def bars(name: str, words: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """A row of bars for each label, one a series, with its number behind it."""
    highest = max((v for each in series for v in each.values), default=0.0) or 1.0
    scale = (WIDTH - _NAMES - 70) / highest
    row = _ROW if len(series) == 1 else _ROW * 1.5
    thick = (row - 8) / len(series)
    parts: list[str] = []
    for at, label in enumerate(labels):
        y = _TOP + at * row
        short = label if len(label) <= 36 else label[:35] + "…"
        parts.append(_text(_NAMES - 8, y + row / 2 + 4, short, "end"))
        for place, each in enumerate(series):
            value, own = each.values[at], y + 4 + place * thick
            told = f"{label}: {each.name} {_number(value)}"
            parts.append(_box(_NAMES, own, max(value * scale, 0.5), thick - 1, each.style, words=told))
            parts.append(_text(_NAMES + value * scale + 6, own + thick / 2 + 4, _number(value), "start"))
    return _svg(_TOP * 2 + row * len(labels), name, words, parts)


def lanes(
    name: str, words: str, labels: Sequence[str], strips: Sequence[Sequence[Strip]], ends: tuple[str, str]
) -> str:
    """A lane for each label with its strips; what lasted short is still to be seen."""
    inner = WIDTH - _NAMES - _RIGHT
    floor = _TOP + _ROW * len(labels)
    parts: list[str] = []
    for at, label in enumerate(labels):
        y = _TOP + at * _ROW
        short = label if len(label) <= 36 else label[:35] + "…"
        parts += [_text(_NAMES - 8, y + 17, short, "end"), _line(_NAMES, y + _ROW - 1, WIDTH - _RIGHT, y + _ROW - 1)]
        for strip in strips[at]:
            wide = max(1.5, (strip.end - strip.start) * inner)
            parts.append(_box(_NAMES + strip.start * inner, y + 4, wide, _ROW - 10, strip.style, words=strip.words))
    parts += [_text(_NAMES, floor + 16, ends[0], "start"), _text(WIDTH - _RIGHT, floor + 16, ends[1], "end")]
    return _svg(floor + 24, name, words, parts)


def curve(
    name: str, words: str, points: Sequence[tuple[float, float]], labels: Sequence[str], ends: tuple[str, str]
) -> str:
    """Values by share of the whole time (0 to 1), each a dot with its label, joined by a line; at least one point."""
    values = [value for _, value in points]
    low, high = min(0.0, *values), max(0.0, *values)
    height, inner = 160.0, WIDTH - _WIDE - _RIGHT
    floor = height - _BOTTOM
    scale = (floor - _TOP) / ((high - low) or 1.0)
    places = [(_WIDE + share * inner, floor - (value - low) * scale) for share, value in points]
    parts = [part for value in sorted({low, high}) for part in _level(value, floor - (value - low) * scale)]
    path = " ".join(f"{_number(x)},{_number(y)}" for x, y in places)
    parts.append(f'<polyline fill="none" stroke="currentColor" stroke-width="1.5" points="{path}"/>')
    for (x, y), label in zip(places, labels, strict=True):
        parts.append(
            f'<circle class="new" cx="{_number(x)}" cy="{_number(y)}" r="4"><title>{escape(label)}</title></circle>'
        )
    parts += [_text(_WIDE, floor + 18, ends[0], "start"), _text(WIDTH - _RIGHT, floor + 18, ends[1], "end")]
    return _svg(height, name, words, parts)


def _level(value: float, y: float) -> list[str]:
    return [_line(_WIDE, y, WIDTH - _RIGHT, y), _text(_WIDE - 6, y + 4, f"{value:.6g}", "end")]
