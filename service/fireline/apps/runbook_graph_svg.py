"""A runbook's picture as SVG, readable on a light and on a dark page: it follows what the reader's system prefers.

Steps stand below each other, so that placing them needs no library: a column, and beside each other what goes on at the
same time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from fireline.apps.runbook_graph import Graph, Node
from fireline.domain.texts import clean

WIDE, LINE, GAP, SIDE, PAD = 340, 17, 30, 280, 14
LETTER = 7.2
"""The width of a letter of the type at its size, so that texts are cut before they leave their box."""

STYLE = """\
svg { font: 12px ui-monospace, SFMono-Regular, Menlo, monospace; }
.page { fill: #ffffff; } text { fill: #1f2328; } .dim { fill: #59636e; } .name { font-weight: bold; }
.box { fill: #f6f8fa; stroke: #59636e; } .ask { fill: #fff8c5; stroke: #9a6700; }
.frame { fill: none; stroke: #0969da; }
.edge { stroke: #59636e; fill: none; } .head { fill: #59636e; }
.undo { stroke: #8250df; fill: none; stroke-dasharray: 4 3; } .undone { fill: #8250df; } .fails { fill: #cf222e; }
.if { fill: #0969da; } .past { stroke: #0969da; fill: none; stroke-dasharray: 2 3; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } text { fill: #e6edf3; } .dim { fill: #9198a1; }
.box { fill: #161b22; stroke: #9198a1; } .ask { fill: #3a2d0a; stroke: #d29922; } .frame { stroke: #4493f8; }
.edge { stroke: #9198a1; } .head { fill: #9198a1; }
.undo { stroke: #ab7df8; } .undone { fill: #ab7df8; } .fails { fill: #f85149; }
.if { fill: #4493f8; } .past { stroke: #4493f8; }
}
"""


@dataclass(slots=True)
class _Sheet:
    """What is drawn so far; `bottom` and `right` are how far it reaches. `places` are the boxes by step."""

    parts: list[str] = field(default_factory=list)
    right: float = 0.0
    bottom: float = 0.0
    places: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def add(self, part: str, right: float, bottom: float) -> None:
        self.parts.append(part)
        self.right, self.bottom = max(self.right, right), max(self.bottom, bottom)

    def text(self, x: float, y: float, said: str, style: str = "", room: float = WIDE) -> None:
        letters = int(room / LETTER)
        flat = clean(said, lines=False)
        cut = flat if len(flat) <= letters else flat[: letters - 1] + "…"
        right = x + min(room, len(cut) * LETTER)
        self.add(f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(cut)}</text>', right, y + 4)

    def path(self, d: str, style: str, *, head: bool = True) -> None:
        end = ' marker-end="url(#head)"' if head else ""
        self.parts.append(f'<path class="{style}" d="{d}"{end}/>')


def drawn(graph: Graph) -> str:
    """The picture as the text of an SVG file."""
    sheet, y = _Sheet(), float(PAD + LINE)
    sheet.text(PAD, y, graph.name, "name", 600)
    for fact in graph.facts:
        y += LINE
        sheet.text(PAD, y, fact, "dim", 600)
    y = _column(sheet, graph.nodes, PAD + 40, y + GAP / 2)
    if graph.last:
        sheet.text(PAD + 40, y + GAP, "finally, whatever happened", "dim")
        _column(sheet, graph.last, PAD + 40, y + GAP + 4)
    width, height = sheet.right + PAD, sheet.bottom + PAD
    return "\n".join(_file(sheet.parts, graph.name, width, height)) + "\n"


def _file(parts: Sequence[str], name: str, width: float, height: float) -> Iterator[str]:
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Runbook {escape(name)}">'
    yield f"<style>\n{STYLE}</style>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>'
    )
    yield '<rect class="page" width="100%" height="100%"/>'
    yield from parts
    yield "</svg>"


def _column(sheet: _Sheet, nodes: Sequence[Node], x: float, y: float) -> float:
    """Draw steps below each other from (x, y); where the last one ends."""
    before: Node | None = None
    for node in nodes:
        start = y
        y += GAP + (LINE if node.condition else 0)
        if node.condition:
            sheet.text(x + 22, y - 8, f"if {node.condition}", "if", WIDE - 22)
        if before is not None and before.id in node.waits:
            sheet.path(f"M{x + 16:g},{start:g} L{x + 16:g},{y - 1:g}", "edge")
        for name in node.waits:
            if name in sheet.places and (before is None or name != before.id):
                _arc(sheet, sheet.places[name], x, y)
        top, y = y, _box(sheet, node, x, y)
        if node.condition:  # past the step, where the condition does not hold
            sheet.path(f"M{x:g},{top - 8:g} h-14 V{y + 10:g} h28", "past")
        before = node
    return y


def _arc(sheet: _Sheet, start: tuple[float, float, float], x: float, y: float) -> None:
    """From the bottom of a box that is not the one above to this one, round the left."""
    left = min(start[0], x) - 26
    sheet.path(
        f"M{start[0]:g},{start[2] - 8:g} C{left:g},{start[2]:g} {left:g},{y + 10:g} {x - 1:g},{y + 12:g}", "edge"
    )


def _box(sheet: _Sheet, node: Node, x: float, y: float) -> float:
    """Draw one step; where it ends. What is undone, and what a failure does, stands to its right."""
    height = PAD + LINE * (2 + len(node.notes)) - 4
    style = "ask" if node.kind == "ask" else "box"
    rounded = 14 if node.kind == "ask" else 4
    sheet.add(
        f'<rect class="{style}" x="{x:g}" y="{y:g}" width="{WIDE}" height="{height:g}" rx="{rounded}"/>',
        x + WIDE,
        y + height,
    )
    sheet.text(x + 10, y + LINE, node.id, "name", WIDE - 20)
    for number, line in enumerate((node.uses, *node.notes)):
        sheet.text(x + 10, y + LINE * (2 + number), line, "dim", WIDE - 20)
    _beside(sheet, node, x + WIDE, y)
    sheet.places[node.id] = (x, y, y + height)
    end = y + height
    if node.branches or node.inner:
        end = _within(sheet, node, x, end)
    return end


def _beside(sheet: _Sheet, node: Node, x: float, y: float) -> None:
    if node.undo == "irreversible":
        sheet.text(x + 34, y + LINE, "irreversible", "fails", SIDE)
    elif node.undo:
        sheet.path(f"M{x:g},{y + 20:g} c34,-2 34,-16 4,-14", "undo")
        sheet.text(x + 34, y + LINE, f"undo: {node.undo}", "undone", SIDE)
    if node.fails:
        sheet.text(x + 34, y + LINE * 2, f"fails: {node.fails}", "fails", SIDE)


def _within(sheet: _Sheet, node: Node, x: float, y: float) -> float:
    """What goes on in a step, side by side in a frame; where it ends."""
    columns, outside = node.branches or (("", node.inner),), dict(sheet.places)
    left, ends = x + 20, [y]
    for name, nodes in columns:
        if name:
            sheet.text(left, y + LINE + 4, name, "if")
        ends.append(_column(sheet, nodes, left, y + (LINE if name else 0)))
        beside = any(each.undo or each.fails for each in nodes)
        left += WIDE + 24 + (SIDE if beside else 0)
    if node.inner:  # the ids of another runbook are its own
        sheet.places = outside
    end = max(ends) + PAD
    sheet.add(
        f'<rect class="frame" x="{x + 6:g}" y="{y:g}" width="{left - x - 20:g}" height="{end - y:g}" rx="6"/>',
        left,
        end,
    )
    return end
