"""When a group is asked to share its partitions out anew."""

import asyncio
from collections.abc import Sequence

import pytest

from fireline.apps.stream_group import LATER, LATEST, SOON, LeftOut, see_that_all_is_read
from fireline.engine.ports import Unavailable

ONE, OTHER = ("t", 0), ("t", 1)
NONE: frozenset[tuple[str, int]] = frozenset()


def test_what_two_looks_in_turn_miss_is_asked_for():
    left_out = LeftOut()
    assert left_out.seen(frozenset({ONE, OTHER})) == NONE
    assert left_out.pause == SOON
    assert left_out.seen(frozenset({OTHER})) == {OTHER}


def test_a_group_that_is_not_settled_is_looked_at_again_soon_and_what_was_missed_before_counts_no_more():
    left_out = LeftOut()
    left_out.seen(frozenset({ONE}))
    assert left_out.seen(None) == NONE
    assert left_out.pause == SOON
    assert left_out.seen(frozenset({ONE})) == NONE


def test_all_in_order_is_looked_at_later_again():
    left_out = LeftOut()
    assert left_out.seen(NONE) == NONE
    assert left_out.pause == LATER


def test_asking_in_vain_is_done_ever_more_seldom_until_all_is_read():
    left_out, pauses = LeftOut(), []
    for _ in range(20):
        if left_out.seen(frozenset({ONE})):
            pauses.append(left_out.pause)
    assert pauses[:3] == [2 * SOON, 4 * SOON, 8 * SOON]
    assert pauses[-1] == LATEST
    left_out.seen(NONE)
    left_out.seen(frozenset({ONE}))
    assert left_out.pause == SOON


class Shares:
    """Says what it is made of, one answer a look; the last one for ever."""

    def __init__(self, *answers: frozenset[tuple[str, int]] | Exception | None) -> None:
        self.answers, self.looks = list(answers), 0

    async def left_out(self, topics: Sequence[str]) -> frozenset[tuple[str, int]] | None:
        self.looks += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("fault", [Unavailable("away"), RuntimeError("a fault of ours")])
async def test_looking_goes_on_whatever_an_answer_was(monkeypatch, fault):
    monkeypatch.setattr("fireline.apps.stream_group.LeftOut", lambda: LeftOut(pause=0.0, _patience=0.0))
    asked = asyncio.Event()
    shares = Shares(fault, frozenset({ONE}), frozenset({ONE}))
    looking = asyncio.create_task(see_that_all_is_read(shares, ["t"], asked.set))
    async with asyncio.timeout(60):
        await asked.wait()
    looking.cancel()
    assert shares.looks >= 3
