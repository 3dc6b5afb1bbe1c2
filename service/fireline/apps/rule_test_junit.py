"""JUnit's XML: what CI systems read of tests. A file of rules is a suite, a rule the class, a test the case."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from fireline.apps.rule_test_kit import Ran
from fireline.apps.rule_test_shown import failure_lines
from fireline.domain.rules import Rule

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 has no others


def write(path: Path, suites: Mapping[str, Sequence[tuple[Rule, Ran]]]) -> None:
    """Write the report; raises OSError."""
    root = ET.Element("testsuites", _counts([ran for some in suites.values() for _, ran in some]))
    root.set("name", "fireline test")
    for file, some in suites.items():
        suite = ET.SubElement(root, "testsuite", _counts([ran for _, ran in some]))
        suite.set("name", _text(file))
        for rule, ran in some:
            _case(suite, file, rule, ran)
    ET.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _counts(ran: Sequence[Ran]) -> dict[str, str]:
    return {
        "tests": str(len(ran)),
        "failures": str(sum(bool(each.outcome.failures) for each in ran)),
        "errors": "0",
        "skipped": "0",
        "time": f"{sum(each.took for each in ran):.3f}",
    }


def _case(suite: ET.Element, file: str, rule: Rule, ran: Ran) -> None:
    test = ran.outcome.test
    case = ET.SubElement(suite, "testcase", {"name": _text(test.name), "classname": _text(rule.name)})
    case.set("time", f"{ran.took:.3f}")
    case.set("file", _text(file))
    case.set("line", str(test.line))
    for failure in ran.outcome.failures:
        words = f"{failure.what}: expected {failure.wanted}, got {failure.got}"
        node = ET.SubElement(case, "failure", {"message": _text(words), "type": failure.what})
        node.text = _text("\n".join(failure_lines(file, failure)))


def _text(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
