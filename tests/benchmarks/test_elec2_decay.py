"""What a table of detections says of known firings, and where a model that was good ceases to be."""

import pytest

from benchmarks.elec2_decay import DAY, onset_of, told

ONSET, END = 100 * DAY, 200 * DAY


def on(day):
    return (day * DAY, True)


def off(day):
    return (day * DAY, False)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([], (0, "never", 0, 0)),
        ([on(10), off(20)], (1, "never", 0, 0)),
        ([on(120), off(130), on(150)], (0, 20, 2, 60)),
        ([on(50), off(60), on(100), off(125)], (1, 0, 1, 25)),
        ([on(90), off(110), on(140), off(150)], (1, "fires already", 1, 20)),
    ],
)
def test_firings_before_and_after_the_decay(signals, expected):
    assert tuple(told(signals, ONSET, END).values()) == expected


def recorded(shares):
    """A prediction an hour, of which so many of a hundred are right on each day."""
    for day, share in enumerate(shares):
        for hour in range(24):
            name = f"r{day}-{hour}"
            yield {"type": "prediction", "request_id": name, "ts": day * DAY + 3600.0 * hour, "prediction": "up"}
            label = "up" if hour * 100 < share * 24 else "down"
            yield {"type": "feedback", "request_id": name, "ts": day * DAY + 3600.0 * hour + 60, "label": label}


def test_the_decay_begins_where_the_last_good_weeks_end():
    assert onset_of(list(recorded([90] * 60 + [50] * 60))) == pytest.approx(67 * DAY), "a quarter of four weeks is bad"
    assert onset_of(list(recorded([90] * 30 + [50] * 30 + [90] * 40 + [50] * 40))) > 100 * DAY
    with pytest.raises(ValueError, match="never as good"):
        onset_of(list(recorded([50] * 60)))
