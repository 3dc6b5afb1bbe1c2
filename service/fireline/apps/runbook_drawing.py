"""The work behind `fireline runbook graph`."""

from pathlib import Path

from fireline.apps.faults import Refused
from fireline.apps.output import print_json
from fireline.apps.runbook_files import NOT_DONE, named, read
from fireline.apps.runbook_graph import document, graph_of, tell
from fireline.apps.runbook_graph_svg import drawn


def run(name: str, *, svg: Path | None, as_json: bool, rules: Path | None, runbooks: Path | None) -> int:
    """Draw a runbook on the terminal, or into a file; raises Refused where that cannot be written."""
    found = read(rules, runbooks, as_json=as_json)
    if found is None:
        return NOT_DONE
    graph = graph_of(named(found[1], name))
    if svg is not None:
        try:
            svg.write_text(drawn(graph), encoding="utf-8")
        except OSError as fault:
            raise Refused(f"{svg} cannot be written: {fault.strerror or fault}") from None
    elif as_json:
        print_json(document(graph))
    else:
        tell(graph)
    return 0
