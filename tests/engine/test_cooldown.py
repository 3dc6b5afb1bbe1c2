"""A cooldown keeps a runbook from the same thing for a while after a run of it ended."""

import pytest

from fireline.domain.outcomes import Done
from fireline.domain.runbooks import RunStatus
from tests.engine.runs_world import world
from tests.engine.test_runs import act, own, scripted


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def book(service):
    return own(act(), head=f'guards: {{lock: "service:{service}", cooldown: 10m}}')


async def test_a_run_too_soon_is_refused_with_how_long_is_left_and_of_another_lock_it_is_not(w):
    scripted(w, last=Done())
    assert w.want(book("a"), key="first").run.status is RunStatus.RUNNING
    await w.runs.run_once()
    w.clock.advance(540)
    soon = w.want(book("a"), key="soon").run
    assert soon.status is RunStatus.REFUSED
    assert "run 1 on service:a ended 540 s ago, 60 s are left of its cooldown" in soon.reason
    with w.store.reading() as tx:
        assert tx.lock_holder("service:a") is None
    assert w.want(book("b"), key="other").run.status is RunStatus.RUNNING
    w.clock.advance(60)
    assert w.want(book("a"), key="later").run.status is RunStatus.RUNNING, "a refused run begins no cooldown anew"
