"""Sight: told once when it is lost for long enough, again while it lasts, once when it is back; never for a blink."""

from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.sight import (
    Blind,
    Patience,
    Report,
    Seeing,
    TellBlind,
    TellSeeing,
    look,
    report_of,
    unseen,
)

PATIENCE = Patience(first=60.0, again=600.0)
AWAY = "the database does not answer"


def told(looks, patience=PATIENCE):
    sight, said = Seeing(), []
    for at, why in looks:
        sight, tell = look(sight, why, at, patience)
        said += [(at, tell)] if tell else []
    return said


def test_a_blink_is_told_to_nobody():
    assert told([(0, AWAY), (30, AWAY), (59, AWAY), (60, ""), (70, AWAY), (129, AWAY)]) == []


def test_blindness_is_told_once_then_again_and_its_end_with_from_and_to():
    looks = [(t, AWAY) for t in range(100, 1400, 2)] + [(1400, ""), (1402, "")]
    assert told(looks) == [
        (160, TellBlind(100, AWAY, 0)),
        (760, TellBlind(100, AWAY, 1)),
        (1360, TellBlind(100, AWAY, 2)),
        (1400, TellSeeing(100, 1400)),
    ]


def test_another_reason_is_the_same_blindness():
    looks = [(0, AWAY), (60, AWAY), (70, "no stream worker reports"), (80, AWAY), (90, "")]
    assert [type(tell) for _, tell in told(looks)] == [TellBlind, TellSeeing]


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60))
def test_every_end_has_a_beginning_and_beginnings_are_as_far_apart_as_promised(steps):
    now, looks = 0.0, []
    for gap, away in steps:
        now += gap
        looks.append((now, AWAY if away else ""))
    said = told(looks)
    open_since = None
    for at, tell in said:
        if isinstance(tell, TellSeeing):
            assert open_since == tell.since
            open_since = None
        else:
            assert at - tell.since >= PATIENCE.first
            assert (open_since is None) == (tell.times == 0)
            open_since = tell.since
    final = Seeing()
    for at, why in looks:
        final, _ = look(final, why, at, PATIENCE)
    assert isinstance(final, Blind) == (open_since is not None)


def test_what_a_worker_reports_tells_whether_events_are_seen():
    fresh = Report(at=1000, asked=1000, behind=0.0, unread=0, partitions=4)
    assert unseen(fresh, 1001, 60) is None
    assert unseen(fresh, 1060, 60) == ("no stream worker reports", 1000)
    assert unseen(Report(1000, 930, None, 0, 4), 1000, 60) == ("Kafka does not answer the stream worker", 930)
    assert unseen(Report(1000, 0.0, None, 0, 0), 1000, 60) is None, "it has only begun"
    assert unseen(Report(1000, 1000, 130.0, 5, 4), 1000, 60) == ("the stream worker does not keep up", 870)
    assert unseen(Report(1000, 1000, 5000.0, 4, 4), 1000, 60) is None, "marks of transactions are never read"


def test_a_fact_without_sense_is_no_alarm():
    assert report_of({"lag_as_of": "soon", "lag": None}, 7.0) == Report(7.0)
    fact = {"lag_as_of": 5.0, "lag_seconds": 2, "lag": 9, "partitions": 4}
    assert report_of(fact, 7.0) == Report(7.0, 5.0, 2.0, 9.0, 4.0)
