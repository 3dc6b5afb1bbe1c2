"""Whether a mended record would be counted now: asked of the very code that put it aside."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.adapters.kafka_topics import REPLAY
from fireline.apps.dead_letter_mending import Mended
from fireline.domain.events import Event, Headers, Malformed, Source
from fireline.engine.ingest import LIVE, Ingest, Record, SourceRef
from fireline.sources import FORMATS

UNTIMELY = frozenset({"late", "future"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a record: `faults` are reason and detail of each dead letter it would be again.

    `event_at` is the newest event time in it, in seconds since the epoch, None without events.
    """

    faults: tuple[tuple[str, str], ...]
    events: int = 0
    event_at: float | None = None


class Judge:
    """Judges records as a stream worker would; `formats` (topic -> source) are the topics that it reads."""

    def __init__(self, formats: Mapping[str, Source], allowed_lateness: float, future_bound: float) -> None:
        self._lateness, self._future = allowed_lateness, future_bound
        self.formats = {**formats, REPLAY: formats.get(REPLAY, FORMATS["native"])}

    def verdict(self, mended: Mended, topic: str, record_time: float) -> Verdict:
        """What would become of it on this topic, were the record's time in Kafka `record_time`."""
        timeline = "replay" if topic == REPLAY else LIVE
        # a new one each time: what came before must not decide what is late
        ingest = Ingest(
            (),
            {},
            FORMATS["native"],
            1,
            formats=self.formats,
            allowed_lateness=self._lateness,
            future_bound=self._future,
        )
        record = Record(0, record_time, mended.key, mended.value, mended.headers)
        got = ingest.batch(SourceRef(topic, 0, timeline), [record])
        found = tuple((letter.reason, letter.detail) for letter in got.dead)
        events = self._decoded(topic, mended.value, mended.headers, mended.key)
        times = [event.at for event in events if isinstance(event, Event)]
        return Verdict(found, got.events, max(times, default=None))

    def counted_then(self, mended: Mended, topic: str) -> int:
        """How many events of the original record were good, and may have been counted when it was put aside.

        One good event alone was not: it was its time that was wrong.
        """
        letter = mended.letter
        decoded = self._decoded(topic, letter.value, letter.headers, letter.key)
        good = sum(isinstance(item, Event) for item in decoded)
        return good if good != len(decoded) or good > 1 else 0

    def _decoded(self, topic: str, value: bytes | None, headers: Headers, key: bytes | None) -> list[Event | Malformed]:
        decoded = self.formats[topic].decode(value, headers, key)
        return [decoded] if isinstance(decoded, Malformed) else list(decoded)
