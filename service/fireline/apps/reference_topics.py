"""The page of the reference about topics, events, formats, and the file that says how foreign ones are read."""

import importlib
from collections.abc import Iterator

from fireline.adapters.kafka_topics import REPLAY, Topic, topics_of_fireline
from fireline.apps.reference_pages import file_parts, page, prose
from fireline.apps.reference_tables import NOTHING, table
from fireline.apps.settings import NATIVE_TOPICS
from fireline.domain.events import Headers
from fireline.sources import EXAMPLES, FORMATS

_DAY_MS = 86_400_000
_TOPICS = {
    "fireline.metrics": ("whoever measures", "events; made for metrics"),
    "fireline.predictions": ("services that predict", "events; made for predictions"),
    "fireline.feedback": ("whoever learns the truth later", "events; made for feedback"),
    "fireline.events": ("anybody", "events of all other kinds"),
    REPLAY: ("`fireline replay`", "recorded events, judged on a timeline of their own"),
    "fireline.partials": (
        "stream workers",
        "aggregates between the two halves of a stream worker; nobody else reads it",
    ),
    "fireline.dead-letter": ("stream workers", "records that were no events, as they came, with the reason in headers"),
    "fireline.incidents": ("responders", "the latest state of each incident, by its id"),
    "fireline.routes": ("responders", "the latest route of each service, by its name"),
}


def topics_page() -> str:
    """Every topic, who writes it, and how it is kept."""
    topics = topics_of_fireline([*NATIVE_TOPICS, REPLAY])
    rows = [(f"`{t.name}`", *_TOPICS[t.name], str(t.partitions or NOTHING), _kept(t)) for t in topics]
    intro = """\
Events of any kind may come on any of the first five; what they are is said by their `type`. `FIRELINE_TOPICS` and
[`topics.yaml`](#the-file-topicsyaml) add topics of your own. A stream worker creates what is missing where it may; its
number of partitions is how many workers can share the work: create topics of events yourself when you need more."""
    example = """\
```json
{"type": "prediction", "service": "fraud-scoring", "model": "fraud", "version": "14", "request_id": "r1",
 "ts": 1763683200.25, "prediction": "deny", "confidence": 0.71, "latency_ms": 81, "error": ""}
```"""
    file = ["## The file `topics.yaml`", *file_parts("topics")]
    head = ("topic", "written by", "holds", "partitions when created", "kept")
    return page("Topics and events", intro, example, table(head, rows), _EVENTS, _FORMATS, *_formats(), *file)


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "the last of each key (compacted)"
    if topic.retention_ms is None:
        return "as the cluster says"
    days = topic.retention_ms // _DAY_MS
    return f"{days} day{'s' if days > 1 else ''}"


def _formats() -> Iterator[str]:
    """Each format: what its module says, once, and an example of each kind of record."""
    told = ""
    for name, source in FORMATS.items():
        module = importlib.import_module(type(source).__module__)
        about = [] if told == module.__name__ else [prose(module.__doc__)]
        told = module.__name__
        yield "\n\n".join([f"### {name}", *about, *(_record(value, headers) for value, headers in EXAMPLES[name])])


def _record(value: bytes, headers: Headers) -> str:
    said = "".join(f"{name}: {held.decode()}\n" for name, held in headers)
    above = f"Headers and value:\n\n```text\n{said}```\n\n" if said else ""
    return f"{above}```json\n{value.decode().strip()}\n```"


_FORMATS = """\
## Formats

How the records of a topic are written. Every event has the same fields afterwards, whoever reported it."""

_EVENTS = """\
## Events

One event is one record of JSON, at most 256 kB. `ts` is seconds or milliseconds since the epoch, or RFC 3339 with its
offset. `labels` are merged with the event's own fields, which win. Unknown fields are kept: rules may name them, nested
ones with a dot (`features.amount`).

| `type` | tells about | must have |
| --- | --- | --- |
| `metric` | a number that was measured | `name`, `value` |
| `prediction` | one answer of a model | - |
| `feedback` | the true label of an earlier prediction, or a complaint | `request_id` |
| `evaluation` | the score of a test set | `name`, `score` |
| `alert` | what another monitor found | `name` |
| `deployment` | a version that went out | - |
| `heartbeat` | somebody who is alive | - |

`confidence`, `latency_ms`, `cost_usd`, `value` and `score` must be numbers where they are there. What is no event goes
to `fireline.dead-letter` and stops nothing, and so does an event whose time is more than 30 seconds before
(`FIRELINE_ALLOWED_LATENESS`), or more than 5 minutes after (`FIRELINE_FUTURE_BOUND`), the time of its record in Kafka.
Recordings may come in any order within an hour."""
