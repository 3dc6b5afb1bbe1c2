"""`fireline runbook graph`: a runbook as a picture, on a terminal and as SVG."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

from fireline.apps.runbook_graph import graph_of
from fireline.apps.runbook_graph_svg import drawn
from fireline.domain.runbooks import Branch, Foreach, Runbook, Step
from fireline.spec.templates import compile_template
from tests.engine.runs_world import shipped

SVG = "{http://www.w3.org/2000/svg}"


def composed() -> Runbook:
    """One of everything: branches, items, another runbook, a step that waits for an earlier one, last steps."""
    back, fallback = shipped().runbooks["route-back"], shipped().runbooks["route-to-fallback"]
    reroute, verify, tell = (next(s for s in fallback.steps if s.id == name) for name in ("reroute", "verify", "tell"))
    items = Foreach(compile_template("{{ inputs.regions }}"), concurrency=3)
    eu = Branch("eu", (replace(reroute, id="eu_route"), replace(verify, id="eu_verify", foreach=items)))
    us = Branch("us", (replace(reroute, id="us_route", undo=None, irreversible=True),))
    nothing = compile_template({})
    steps = (
        replace(verify, id="first"),
        Step("both", "parallel", nothing, branches=(eu, us), join=1),
        Step("inner", "runbook.run", nothing, sub=back),
        replace(tell, needs=("first",)),
    )
    return replace(fallback, name="<composed>", steps=steps, finally_=(replace(tell, id="last"),))


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter(f"{SVG}text")]


def test_on_a_terminal(house):
    said = house("runbook", "graph", "route-back")
    assert said.code == 0
    lines = said.out.splitlines()
    assert "  ● before  route.get" in lines
    assert "  │   asks owner, 30m; silence: reject" in lines
    assert "  ◇ if steps.ask.approved, otherwise past it" in lines
    assert "  ● back    route.ramp   ↶ route.set   ✗ stop, call the next level" in lines
    assert "✗ undo reroute" in house("runbook", "graph", "route-to-fallback").out


def test_as_json_for_programs(house):
    told = json.loads(house("runbook", "graph", "route-back", "--json").out)
    assert [step["id"] for step in told["steps"]] == ["before", "ask", "back"]
    assert told["steps"][2]["waits_for"] == ["ask"]
    assert told["steps"][1]["kind"] == "ask"


def test_as_svg_for_light_and_dark_pages(house):
    path = house.home / "graph.svg"
    assert house("runbook", "graph", "route-to-fallback", "--svg", str(path)).code == 0
    svg = path.read_text()
    assert "prefers-color-scheme: dark" in svg
    assert {"before", "reroute", "verify", "healthy", "back", "tell"} <= set(texts(svg))
    assert "undo: route.set" in texts(svg)
    said = house("runbook", "graph", "route-back", "--svg", str(house.home / "none" / "x.svg"))
    assert said.code == 1
    assert "cannot be written" in said.err


def test_branches_items_other_runbooks_and_last_steps_are_drawn():
    graph = graph_of(composed())
    svg = drawn(graph)
    shown = texts(svg)
    for expected in ("<composed>", "eu", "us", "goes on when 1 are done", "runs route-back", "irreversible", "last"):
        assert expected in shown
    assert any(text.startswith("for each of {{ inputs.regions }}") for text in shown)
    assert graph.nodes[3].waits == ("first",)
    assert graph.nodes[1].branches[0][1][1].fails == "undo eu_route"


def test_boxes_stay_on_the_sheet():
    root = ET.fromstring(drawn(graph_of(composed())))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    boxes = [node for node in root.iter(f"{SVG}rect") if node.get("class") != "page"]
    assert len(boxes) >= 10
    for box in boxes:
        assert float(box.get("x", 0)) + float(box.get("width", 0)) <= width
        assert float(box.get("y", 0)) + float(box.get("height", 0)) <= height
