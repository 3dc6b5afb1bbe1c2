"""A team of many for trials of pages: services of their own, one person each, a Slack that shows what arrived.

What is counted is what Slack holds: an incident whose person has no message that names it is a lost page; one that is
named by more first messages than it was paged is a doubled one.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fireline.domain.incidents import Incident, Page
from tests.servers.slack import LocalSlack

TOPIC = "fireline.metrics"
RULE = "something_broke"
NAMED = re.compile(r"\bINC-(\d+)\b")
POLICY = '    levels:\n      - {targets: ["person:%s"], wait: %s}\n    repeat: 0\n'


def people(count: int) -> list[str]:
    return [f"p{number:02}" for number in range(count)]


def member(person: str) -> str:
    """Who the person is in Slack."""
    return f"U0{person.upper()}"


def write_rules(folder: Path, persons: Sequence[str], *, wait: str = "1h") -> None:
    """Rules in which every event of a new case is an outage of its own, and every person owns one service."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.yaml"):
        if old.name != "severities.yaml":
            old.unlink()
    catalog = ["default_team: " + persons[0], "people:"]
    catalog += [f"  {p}: {{name: Person {p}, contacts: {{slack: {member(p)}}}}}" for p in persons]
    catalog += ["teams:", *(f"  {p}: {{name: Team {p}, policy: {p}, members: [{p}]}}" for p in persons)]
    catalog += ["services:", *(f"  service-{p}: {{owner: {p}, what: A service., tier: 3}}" for p in persons)]
    (folder / "catalog.yaml").write_text("\n".join(catalog) + "\n")
    policies = "".join(f"  {p}:\n" + POLICY % (p, wait) for p in persons)
    (folder / "oncall.yaml").write_text(f"schedules: {{}}\npolicies:\n{policies}")
    (folder / "broken.yaml").write_text(RULES)


RULES = f"""\
rules:
  - name: {RULE}
    on: metric
    where: {{name: broken}}
    by: [service, case]
    group_by: [case]
    window: 10m
    max_entities: 5000
    measures:
      n: {{agg: count}}
    severity:
      outage: {{when: "n > 0", for: 0s}}
    summary: "{{{{ service }}}} broke, case {{{{ case }}}}"
    tests:
      - name: one is enough
        series:
          - {{fields: {{name: broken, service: s, case: c}}, values: "1x2"}}
        expect:
          - {{at: 1s, state: firing, severity: outage, entity: {{service: s, case: c}}}}
"""


@dataclass(frozen=True)
class Tally:
    """What came of the pages: `lost` are incidents that nobody heard of, `doubled` messages too many."""

    incidents: int
    messages: int
    lost: tuple[int, ...]
    doubled: int
    resent: int


def tally(slack: LocalSlack, persons: Sequence[str], incidents: Sequence[Incident]) -> Tally:
    """Compare what was to be paged with what Slack holds."""
    shown = {person: [_text(m) for m in slack.messages(member(person))] for person in persons}
    named = {
        person: Counter(int(n) for text in texts for n in {*NAMED.findall(text)}) for person, texts in shown.items()
    }
    paged = Counter((page.person, one.number) for one in incidents for page in one.pages)
    lost = tuple(
        one.number
        for one in incidents
        for page in one.pages
        if not any(named[page.person][number] for number in _told_with(one.number, page))
    )
    doubled = sum(max(0, named[person][number] - times) for (person, number), times in paged.items())
    texts = [text for found in shown.values() for text in found]
    return Tally(len(incidents), len(texts), lost, doubled, sum("(resent)" in text for text in texts))


def _told_with(number: int, page: Page) -> list[int]:
    """The incidents of which one must be named where the person was told: its own, or that of the page it went into."""
    return [number, *(int(n) for n in NAMED.findall(page.why.folded_into))]


def _text(message: Mapping[str, object]) -> str:
    return f"{message.get('text', '')} {message.get('blocks', '')}"
