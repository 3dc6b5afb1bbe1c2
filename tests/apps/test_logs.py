"""One line an event, no secret in any of them, no forged line."""

import io
import logging
import subprocess
import sys

import pytest

from fireline.apps import logs
from fireline.apps.logs import Repeats

CANARY = "canary-s3cret"


@pytest.fixture
def logged():
    root = logging.getLogger()
    before, level, hooks = root.handlers[:], root.level, (sys.excepthook, logs.threading.excepthook)
    logs.set_up("respond", "info", [CANARY, CANARY + "-longer"])
    (handler,) = root.handlers
    handler.setStream(io.StringIO())
    yield handler.stream.getvalue
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook, logs.threading.excepthook = hooks
    logging.captureWarnings(False)


def test_a_line_tells_when_who_how_bad_and_what(logged):
    logging.getLogger("fireline.respond").warning("%d effects wait", 3)
    line = logged()
    assert line.endswith(" respond WARNING fireline.respond: 3 effects wait\n")


def test_secrets_are_blotted_in_texts_arguments_and_exceptions(logged):
    log = logging.getLogger("fireline.respond")
    log.warning("token %s of %r", CANARY, {"token": CANARY})
    log.warning(f"as it is: {CANARY}-longer")
    log.warning("wrong arguments %d", CANARY)
    try:
        raise ValueError(f"refused {CANARY}")
    except ValueError:
        log.exception("it failed")
    text = logged()
    assert CANARY not in text
    assert "[secret]-longer" not in text
    assert text.count("[secret]") == 5
    assert "Traceback" in text


def test_a_text_of_an_event_forges_no_line_and_moves_no_cursor(logged):
    logging.getLogger("fireline.respond").warning(
        "INC-1: %s", "x\n12:00:00 respond INFO fireline: all is well\r\x1b[2J\x1b[31mred\x07"
    )
    lines = logged().splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("  12:00:00")
    assert not any(mark in "".join(lines) for mark in "\x1b\x07\r")


def test_the_last_words_of_a_process_are_blotted(tmp_path):
    code = f"from fireline.apps import logs; logs.set_up('web', 'info', ['{CANARY}']); raise ValueError('{CANARY}')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert "CRITICAL" in said[0]
    assert not any(CANARY in line for line in said)


def test_libraries_speak_from_warnings_on(logged):
    logging.getLogger("aiokafka").info("chatter")
    logging.getLogger("aiokafka").warning("broker away")
    assert "chatter" not in logged()


def record(text: str, at: float) -> logging.LogRecord:
    made = logging.LogRecord("fireline.respond", logging.WARNING, "", 0, text, (), None)
    made.created = at
    return made


def test_what_is_said_again_and_again_is_said_less_and_less_often_and_nothing_is_uncounted():
    repeats, shown = Repeats(), []
    for number in range(1200):
        said = record("the database is away", 1000.0 + number / 10)
        if repeats.filter(said):
            shown.append((said.created - 1000.0, said.getMessage()))
    assert [round(at) for at, _ in shown] == [0, 1, 3, 7, 15, 31, 63]
    assert shown[0][1] == "the database is away"
    held = [int(text.split("(")[1].split()[0]) for _, text in shown[1:]]
    assert sum(held) + len(shown) == 631


def test_other_lines_are_not_held_back_and_a_new_absence_is_told_at_once():
    repeats = Repeats()
    assert all(repeats.filter(record(f"rules.yaml:{line}:1: error", 1.0)) for line in range(50))
    assert repeats.filter(record("away", 2.0))
    assert not repeats.filter(record("away", 2.5))
    assert repeats.filter(record("away", 60.0))
    again = record("away", 60.5)
    assert not repeats.filter(again)
