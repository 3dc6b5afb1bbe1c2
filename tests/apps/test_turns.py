"""Threads of a role take short turns."""

import sys

import pytest

from fireline.apps import role_respond, role_stream, role_web, turns


class Reached(Exception):  # noqa: N818 - an end of the test's own
    """As far as this test goes."""


@pytest.fixture
def before():
    found = sys.getswitchinterval()
    yield
    sys.setswitchinterval(found)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("role", [role_respond, role_stream, role_web])
def test_every_role_takes_short_turns_from_its_start(role, monkeypatch):
    def reached(*_given, **_options):
        raise Reached

    class Settings:
        log_level = "warning"

        def secrets(self):
            return ()

    monkeypatch.setattr(role, "settings_with", lambda *_: Settings())
    monkeypatch.setattr(role.logs, "set_up", lambda *_: None)
    monkeypatch.setattr(role.lifeline, "hold", lambda: None)
    monkeypatch.setattr(role, "assemble", reached)
    sys.setswitchinterval(0.005)
    with pytest.raises(Reached):
        role.run(rules=None, runbooks=None)
    assert sys.getswitchinterval() == pytest.approx(turns.TURN, rel=0.01)
