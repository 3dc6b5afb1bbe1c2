"""The windowed aggregate of `bench_peers.py` in Quix Streams; runs in an environment of its own.

As its documentation has it: JSON in, a filter, a tumbling window by the record's key, aggregated by `Count`, `Mean`
and `Max`, and a filter on the result. Everything else is as it is by default, changelog topics included.
"""

import argparse
import json
import os
import resource
import time
from datetime import timedelta

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Max, Mean


def main() -> None:
    """Read until `--events` were seen, print one line of JSON, and end."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--kafka", "--topic", "--group", "--home", "--emit"):
        parser.add_argument(name, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--pane", type=float, default=10.0)
    given = parser.parse_args()
    seen, began, cpu_began = 0, 0.0, 0.0

    def event_time(value: dict[str, object], *_: object) -> int:
        """The event's own time, in milliseconds; it is asked once an event, so it counts them too."""
        nonlocal seen, began, cpu_began
        if seen == 0:
            began, cpu_began = time.time(), time.process_time()
        seen += 1
        if seen == given.events:
            ended, peak = time.time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            told = {"events": seen, "began": began, "ended": ended, "seconds": ended - began, "peak": peak}
            print(json.dumps({**told, "cpu": time.process_time() - cpu_began}), flush=True)
            os._exit(0)
        return int(value["ts"] * 1000)  # type: ignore[operator]  # a number

    app = Application(
        broker_address=given.kafka,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        state_dir=given.home,
        loglevel="ERROR",
    )
    topic = app.topic(given.topic, value_deserializer="json", timestamp_extractor=event_time)
    frame = app.dataframe(topic)
    frame = frame.filter(lambda e: e["name"] == "metric_0" and e["labels"]["env"] == "prod")
    window = frame.tumbling_window(timedelta(seconds=given.pane)).agg(n=Count(), mean=Mean("value"), high=Max("value"))
    found = window.final() if given.emit == "final" else window.current()
    found.filter(lambda w: w["high"] > 1e9).update(print)
    app.run()


if __name__ == "__main__":
    main()
