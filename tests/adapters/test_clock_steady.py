"""A clock that does not jump: doubted, confirmed, contradicted."""

import math
import threading

import pytest

from fireline.adapters.clock_steady import SteadyClock, asleep

HOUR = 3600.0
T = 1_763_683_200.0


class Machine:
    """The clocks of a machine: time passes, and somebody sets the wall clock."""

    def __init__(self, patience: float = 60.0) -> None:
        self.wall, self.steady, self.slept = T, 100.0, 5.0
        self.clock = SteadyClock(patience, wall=lambda: self.wall, steady=lambda: self.steady, slept=lambda: self.slept)

    def passes(self, seconds: float, *, each: float = 1.0) -> float:
        """Time passes, and the clock is looked at now and then; what it says at the end."""
        told = self.clock.now()
        while seconds > 1e-9:
            step = min(each, seconds)
            self.wall, self.steady, seconds = self.wall + step, self.steady + step, seconds - step
            before, told = told, self.clock.now()
            assert told >= before or self.clock.leapt < 0
        return told

    def sleeps(self, seconds: float) -> None:
        """The machine is suspended: its monotonic clock stands still."""
        self.wall, self.slept = self.wall + seconds, self.slept + seconds


def test_time_is_the_wall_clocks_and_small_corrections_are_followed():
    machine = Machine()
    assert machine.passes(10.0) == T + 10
    machine.wall += 1.5
    assert machine.clock.now() == T + 11.5
    machine.wall -= 1.0
    assert machine.clock.now() == T + 11.5, "it does not go back"
    assert machine.passes(2.0) == T + 12.5
    assert (machine.clock.leapt, machine.clock.doubted, machine.clock.sure) == (0.0, 0.0, True)


@pytest.mark.parametrize("held", [3.0, HOUR])
def test_a_process_that_is_stopped_between_two_clocks_sees_no_jump(held, caplog):
    machine, stops = Machine(), [held, held]

    def wall():
        if stops:
            machine.wall, machine.steady = machine.wall + stops[-1], machine.steady + stops.pop()
        return machine.wall

    machine.clock = SteadyClock(wall=wall, steady=lambda: machine.steady, slept=lambda: machine.slept)
    assert machine.clock.now() == T + 2 * held, "stopped twice while it began"
    stops.append(held)
    assert machine.clock.now() == T + 3 * held
    assert (machine.clock.leapt, machine.clock.doubted, machine.clock.sure) == (0.0, 0.0, True)
    assert not caplog.records


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_that_is_taken_back_leaves_no_trace(jump, caplog):
    machine = Machine()
    machine.wall += jump
    assert machine.passes(50.0) == T + 50
    assert machine.clock.doubted == jump
    assert not machine.clock.sure
    machine.wall -= jump
    assert machine.passes(50.0) == T + 100
    assert (machine.clock.leapt, machine.clock.doubted) == (0.0, 0.0)
    assert len(caplog.records) == 2, "told once when it began and once when it ended"
    assert "3600.0 s" in caplog.text


def test_a_jump_forward_that_lasts_is_believed_when_patience_ends():
    machine = Machine(patience=60.0)
    machine.wall += HOUR
    assert machine.passes(59.0) == T + 59
    assert machine.passes(2.0) == T + HOUR + 61
    assert (machine.clock.leapt, machine.clock.doubted) == (HOUR, 0.0)


def test_after_a_jump_back_that_lasts_time_runs_slower_until_the_wall_clock_has_caught_up():
    machine = Machine(patience=60.0)
    machine.wall -= 100.0
    assert machine.passes(60.0) == pytest.approx(T + 60, abs=1.0)
    ours = machine.clock.now()
    assert machine.passes(40.0) == pytest.approx(ours + 20, abs=1.0)
    assert machine.passes(200.0) == machine.wall
    assert machine.clock.leapt == 0.0, "it was never set"


def test_who_slept_knows_at_once_how_long():
    machine = Machine(math.inf)
    machine.sleeps(HOUR)
    assert machine.clock.now() == T + HOUR
    assert machine.clock.leapt == HOUR, "that time passed unseen"
    machine.wall += HOUR
    assert machine.passes(5.0) == T + HOUR + 5, "having slept once excuses no later jump"


def test_a_record_of_the_new_time_confirms_a_jump_forward_and_one_of_ours_does_not():
    machine = Machine(math.inf)
    machine.wall += HOUR
    machine.passes(300.0)
    machine.clock.witness(T + 299)
    assert machine.clock.now() == T + 300
    assert machine.clock.sure, "somebody else's clock agrees with us"
    machine.clock.witness(T + HOUR + 300)
    assert machine.clock.now() == machine.wall
    assert machine.clock.leapt == HOUR


def test_a_jump_back_needs_witnesses_for_a_while_and_none_against_it():
    machine = Machine(math.inf)
    machine.wall -= HOUR
    for _ in range(30):  # a backlog: old records, with a new one among them now and then
        machine.passes(3.0)
        machine.clock.witness(T - HOUR)
        machine.passes(3.0)
        machine.clock.witness(machine.clock.now())
    assert machine.clock.leapt == 0.0
    for _ in range(11):
        machine.passes(1.0)
        machine.clock.witness(machine.wall)
    assert machine.clock.now() == machine.wall
    assert machine.clock.leapt == -HOUR


def test_witnesses_against_a_jump_renew_patience():
    machine = Machine(patience=60.0)
    machine.wall += HOUR
    for _ in range(10):
        machine.passes(50.0)
        machine.clock.witness(machine.clock.now() - 1)
    assert machine.clock.now() == T + 500
    assert machine.passes(61.0) == T + HOUR + 561


def test_witnesses_mean_nothing_while_nothing_is_doubted():
    machine = Machine()
    for at in (0.0, T - HOUR, T + HOUR, math.inf, math.nan):
        machine.clock.witness(at)
    assert machine.passes(1.0) == T + 1


def test_a_second_jump_is_doubted_anew():
    machine = Machine(patience=60.0)
    machine.wall += HOUR
    machine.passes(55.0)
    machine.wall += HOUR
    assert machine.passes(55.0) == T + 110
    assert machine.clock.doubted == 2 * HOUR


def test_the_machines_own_clocks_and_many_threads():
    clock, told = SteadyClock(), []
    threads = [threading.Thread(target=lambda: told.extend(clock.now() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 2000
    assert abs(clock.now() - super(SteadyClock, clock).now()) < 1.0
    assert asleep() >= -0.01
