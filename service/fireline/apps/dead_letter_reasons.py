"""Why records are put aside, in words: what each reason means and what a person can do about it.

The codes come from the formats (`sources/`) and from `engine.ingest`; a test holds this table to be complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explained:
    """`means` in a sentence, `remedy` as what to do at the sender, `mend` as what `replay` can do for this record."""

    means: str
    remedy: str
    mend: str = ""


_SENDER = "find the sender by the key and the headers, and let it"

REASONS: Mapping[str, Explained] = {
    "empty": Explained(
        "The record has no value: a tombstone, or a producer that sends nothing.",
        "Do not compact topics of events, and send no tombstones there.",
        "There is nothing to mend; leave it.",
    ),
    "too-large": Explained(
        "The value is longer than a record of events may be (256 kB for native JSON).",
        f"{_SENDER} send one event a record, and leave out prompts, documents and images.",
        "`--unset FIELD` takes the large field out, when the value is whole.",
    ),
    "not-json": Explained(
        "The value is not JSON: cut off, in another encoding, or of another format than its topic has.",
        f"{_SENDER} send JSON in UTF-8; or set the format of the topic to what it sends.",
        "Write the value anew with `--from-file`; it needs no mending once the topic has its right format.",
    ),
    "not-an-object": Explained(
        "The value is JSON, but no object: a list, a number, a text.",
        f"{_SENDER} send one object a record; a list of events is as many records.",
        "Write one object with `--from-file`.",
    ),
    "type-unknown": Explained(
        "`type` is missing, or names a kind of event that there is not.",
        f"{_SENDER} set `type` to metric, prediction, feedback, evaluation, alert, deployment or heartbeat.",
        "`--set type=metric`, or `--rename kind=type`.",
    ),
    "time-missing": Explained(
        "The event does not say when it happened.",
        f"{_SENDER} set `ts`: seconds or milliseconds since the epoch, or RFC 3339.",
        "`--as-of arrival` takes the time at which it came to Kafka, `--rename timestamp=ts` one of another name.",
    ),
    "time-wrong": Explained(
        "The event's time cannot be read: without an offset, in microseconds, or no time at all.",
        f"{_SENDER} write seconds or milliseconds since the epoch, or RFC 3339 with its offset (`...Z`).",
        "`--as-of arrival` takes the time at which it came to Kafka; `--set ts=TIME` the right one.",
    ),
    "field-missing": Explained(
        "A field is absent that every event of this type must have.",
        f"{_SENDER} set it; the detail names it.",
        "`--set FIELD=VALUE`, or `--rename OTHER=FIELD` when it has another name.",
    ),
    "field-wrong": Explained(
        "A field is of a type that rules cannot work with, such as a text where a number must be.",
        f"{_SENDER} send the type that the detail expects: numbers without quotes, and no NaN.",
        "`--set FIELD=VALUE` replaces it, `--unset FIELD` takes it out where it may be absent.",
    ),
    "labels-wrong": Explained(
        "`labels` is not an object.",
        f'{_SENDER} write labels as an object: {{"service": "fraud", "region": "eu"}}.',
        '`--set \'labels={"service": "fraud"}\'`.',
    ),
    "late": Explained(
        "The event came long after it had happened: its window may have been judged without it.",
        "Look for a producer that buffers, retries or lags, or whose clock is slow.",
        "As it is it would be late again, because its record keeps its time. `--as-of arrival` moves it to its coming,"
        " `--as-of now` to now; both say what is not so.",
    ),
    "future": Explained(
        "The event's time lies far after the time at which it came: somebody's clock is wrong.",
        "Set the clock of the sender by NTP; look for local time that is written as UTC.",
        "`--as-of arrival` takes the time at which it came to Kafka.",
    ),
    "not-cloudevents": Explained(
        "The topic is read as CloudEvents, and the value is no envelope of one.",
        f"{_SENDER} write CloudEvents 1.0 in JSON, or as headers `ce_...`; or mend the format of the topic.",
        "It needs no mending once the topic has its right format; `--to TOPIC` sends it to one that has it.",
    ),
    "specversion-wrong": Explained(
        "The CloudEvent is of another version than 1.0.",
        f"{_SENDER} write version 1.0.",
        "`--set 'specversion=\"1.0\"'`: without the quotes it would be a number.",
    ),
    "attribute-missing": Explained(
        "A CloudEvent lacks an attribute that each must have: id, source, specversion or type.",
        f"{_SENDER} set it; the detail names it.",
        "`--set ATTRIBUTE=VALUE` for a structured event; headers are mended with `--from-file`.",
    ),
    "attribute-wrong": Explained(
        "An attribute of a CloudEvent is no text.",
        f"{_SENDER} write attributes as non-empty strings in UTF-8.",
        "`--set ATTRIBUTE=VALUE` for a structured event; headers are mended with `--from-file`.",
    ),
    "data-wrong": Explained(
        "The data of a CloudEvent cannot be read, or is no JSON object with the fields of one event.",
        f"{_SENDER} put the event's fields into `data`, as one JSON object.",
        "`--set data.FIELD=VALUE` mends a field in it, `--unset data_base64` one of two.",
    ),
    "encoding-unknown": Explained(
        "The content type of a CloudEvent is not JSON.",
        f"{_SENDER} write JSON, and say so in `datacontenttype` or the header `content-type`.",
        "Write it anew with `--from-file`, the header too.",
    ),
    "not-protobuf": Explained(
        "The topic is read as OTLP in protobuf, and the value is none: cut off, compressed, or JSON.",
        "Set the encoding of the collector's Kafka exporter and the format of the topic to the same.",
        "It needs no mending once the topic has its right format; `--to TOPIC` sends it to one that has it.",
    ),
    "not-otlp": Explained(
        "The value can be read, and holds nothing of what the topic's format expects: metrics, or traces.",
        "Give each signal of the collector a topic of its own, with the format of that signal.",
        "`--to TOPIC` sends it to the topic whose format it has.",
    ),
    "metric-wrong": Explained(
        "An OTLP metric has no name, or no data points of a kind that can be read.",
        f"{_SENDER} send gauges, sums, histograms or exponential histograms with a name; summaries are old.",
        "The other metrics of the record were counted; leave it.",
    ),
    "value-missing": Explained(
        "A data point of OTLP has neither an integer nor a decimal value.",
        "Look at the instrument that the detail names, and at processors of the collector that drop values.",
        "The other points of the record were counted; leave it.",
    ),
    "no-recorded-value": Explained(
        "A data point of OTLP says that its series has no value now; nothing was lost.",
        "Often a target that went away. The collector's filter processor can drop these points.",
        "There is nothing to mend; leave it.",
    ),
    "not-finite": Explained(
        "A value is infinite or no number at all.",
        "Look for a division by zero in what the detail names.",
        "The other points of the record were counted; leave it.",
    ),
    "buckets-wrong": Explained(
        "The buckets of a histogram contradict each other, or are too many.",
        "Look at the instrument's bounds, and at whatever merges histograms on the way.",
        "The other points of the record were counted; leave it.",
    ),
    "unexplained": Explained(
        "Fireline did not put this record here, or its headers were lost on the way.",
        "Let nobody else write to fireline.dead-letter; copy the topic with its headers.",
        "Where it came from is not known, so it cannot be replayed.",
    ),
}


def explain(reason: str) -> Explained:
    """The words for a reason; for a code that no format of this version has, what can be said of any."""
    return REASONS.get(reason) or Explained(
        "A reason that this version does not know: of a format of your own, or of another version.",
        "The detail says what was found; the file of the format says more.",
        "Mend it with `--set`, `--unset`, `--rename` or `--from-file`, and look at `--dry-run`.",
    )
