"""The shape of the command line: help that teaches, a quick start, tables on a terminal, hostile texts as they are."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from fireline.apps import cli

ESCAPE = "\x1b"
HOSTILE = "[red]x[/red] [bold]b[/] \x1b[31mred\x1b[0m\x1b]0;title\x07 \u202egnp.exe [/nonsense] tab\there"


def commands(command=None, path=()):
    command = command or get_command(cli.app)
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


ALL = dict(commands())


def test_all_commands_are_here():
    assert {"up", "check", "doctor", "explain", "incidents ack", "oncall now", "routes set", "runs approve"} <= set(ALL)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_says_what_it_does_and_what_each_option_means(name):
    command = ALL[name]
    assert command.help
    assert len(command.help.split()) >= 3
    for parameter in command.params:
        text = getattr(parameter, "help", None)
        assert text, f"{name}: {parameter.name} is not described"
        assert text == text.strip()


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_help_that_is_printed_leaves_nothing_out(house, name):
    said = house(*name.split(), "--help")
    assert said.code == 0
    printed = re.sub(r"[\s│]+", " ", said.out)
    for parameter in ALL[name].params:
        text = getattr(parameter, "help", None) or ""
        for word in re.sub(r"\[/?(bold|dim)\]", "", text).split():
            assert word in printed, f"{name}: {word!r} of {text!r} is missing"


def test_without_a_command_it_teaches(house):
    said = house()
    assert "fireline demo" in said.out + said.err


def test_the_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['fireline', '--help']\n"
        "from fireline.apps.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'faust', 'aiokafka', 'confluent_kafka', 'numpy', 'fastapi', 'slack_sdk', 'aiohttp',"
        " 'jinja2', 'pydantic', 'alembic', 'yaml', 'orjson'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_harmless(text):
    for mark in (ESCAPE, "\x07", "\u202e"):
        assert mark not in text
    assert "[red]x[/red] [bold]b[/]" in text


@pytest.mark.parametrize("words", [["incidents", "show", "1"], ["explain", "1"], ["incidents", "ls"]], ids=" ".join)
def test_what_an_event_says_is_printed_to_the_letter_and_obeyed_by_nobody(house, words):
    house.incident(HOSTILE)
    said = house(*words)
    assert said.code == 0
    check_harmless(said.out)


def test_a_hostile_note_person_and_reason_are_texts(house):
    house.incident()
    assert house("incidents", "note", "1", HOSTILE, "--as", "ann").code == 0
    check_harmless(house("incidents", "show", "1").out)
    said = house("incidents", "ack", "1", "--as", HOSTILE)
    assert "[red]x[/red]" in said.err
    assert ESCAPE not in said.err
    house("routes", "set", "fraud-scoring", "fallback=100", "--reason", HOSTILE, "--as", "ann")
    check_harmless(house("routes", "ls").out)


def test_json_holds_what_an_event_said_and_is_json(house):
    house.incident(HOSTILE + "\ud800 half")
    told = json.loads(house("incidents", "show", "1", "--json").out)
    assert "[red]x[/red]" in told["signals"][0]["reason"]
    assert ESCAPE not in house("incidents", "show", "1", "--json").out


def terminal(environment, *words) -> str:
    """What the command prints on a terminal."""
    host, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fireline.apps", *words], stdin=end, stdout=end, stderr=end, env=environment
    )
    os.close(end)
    said = b""
    try:
        while chunk := os.read(host, 65_536):
            said += chunk
    except OSError:  # the other end is closed: the command is over
        pass
    finally:
        os.close(host)
        process.wait(120)
    return said.decode()


def test_a_terminal_gets_a_table_and_colours_of_ours_alone(house):
    house.incident(HOSTILE)
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    environment.pop("NO_COLOR", None)
    shown = terminal(environment, "incidents", "ls")
    assert "\t" not in shown
    assert f"{ESCAPE}[1;31moutage" in shown or f"{ESCAPE}[1;31mtriggered" in shown
    assert "[red]x[/red]" in shown
    assert f"{ESCAPE}]0;" not in shown
    assert f"{ESCAPE}[31m" not in shown
    plain = terminal({**environment, "NO_COLOR": "1"}, "incidents", "ls")
    assert f"{ESCAPE}[1;31m" not in plain


def test_a_reader_that_goes_away_is_no_fault(house):
    house.incident()
    with Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen(
            [sys.executable, "-m", "fireline.apps", "explain", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        said = process.stderr.read().decode()
        process.stderr.close()
        process.wait(120)
        nothing.write(b"")
    assert "Traceback" not in said
