"""JUnit's XML: what CI systems read of tests. A file is a suite, what is tested the class, a test the case."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fireline.apps.faults import Refused

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 has no others


@dataclass(frozen=True, slots=True)
class Miss:
    """One expectation that was not met: what it is about, one line, and all that there is to say."""

    what: str
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One test: what it is of, where it stands, the seconds it took, and what was missed."""

    file: str
    line: int
    tested: str
    name: str
    took: float
    misses: tuple[Miss, ...] = ()


def write(path: Path, name: str, cases: Sequence[Case]) -> None:
    """Write the report; raises Refused where the file cannot be written."""
    root = ET.Element("testsuites", _counts(cases))
    root.set("name", name)
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.file, []).append(case)
    for file, some in suites.items():
        suite = ET.SubElement(root, "testsuite", _counts(some))
        suite.set("name", _text(file))
        for case in some:
            _case(suite, case)
    ET.indent(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as fault:
        raise Refused(f"{path} cannot be written: {fault.strerror or fault}") from None


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.misses) for case in cases)),
        "errors": "0",
        "skipped": "0",
        "time": f"{sum(case.took for case in cases):.3f}",
    }


def _case(suite: ET.Element, case: Case) -> None:
    node = ET.SubElement(suite, "testcase", {"name": _text(case.name), "classname": _text(case.tested)})
    node.set("time", f"{case.took:.3f}")
    node.set("file", _text(case.file))
    node.set("line", str(case.line))
    for miss in case.misses:
        failure = ET.SubElement(node, "failure", {"message": _text(miss.message), "type": miss.what})
        failure.text = _text(miss.text)


def _text(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
