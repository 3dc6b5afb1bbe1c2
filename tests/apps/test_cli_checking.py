"""`fireline check`: told to people, programs and GitHub, of all files or of some; and how it ends."""

import io
import json
import re

import pytest
from rich.console import Console

from fireline.apps.checking_told import tell, tell_github
from fireline.domain.configuration import Problem


def spoil(house, name: str, was: str, now: str) -> None:
    path = house.rules / name
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, now, 1))


def test_a_sound_house(house):
    said = house("check", "--strict")
    assert said.code == 0, said.out
    assert re.search(r"\d+ rules, \d+ runbooks, \d+ services, \d+ people: sound, 0 warnings", said.err)
    assert json.loads(house("check", "--json").out) == {"ok": True, "problems": []}


def test_a_fault_is_told_with_its_place_code_and_hint(house):
    spoil(house, "fraud.yaml", "errors > 0.20", "errors > 20")
    said = house("check")
    assert said.code == 1
    assert "1 error, 0 warnings" in said.err
    assert re.search(r"fraud\.yaml:\d+:\d+: error: `errors > 20` never holds: .* \[share-as-percent\]", said.out)
    assert "\n  hint: 5 % is 0.05: did you mean `0.2`?" in said.out
    assert " | " not in said.out, "the line itself is for terminals"
    (told,) = json.loads(house("check", "--format", "json").out)["problems"]
    assert told["code"] == "share-as-percent"
    assert told["path"] == "rules[1].severity.outage.when"


def test_warnings_stand_in_the_way_when_that_is_asked_for(house):
    spoil(house, "fraud.yaml", "errors < 0.05", "errors < 0.30")
    assert house("check").code == 0
    said = house("check", "--strict")
    assert said.code == 1
    assert "[until-idle]" in said.out
    spoil(house, "fraud.yaml", 'until: "errors < 0.30"}', 'until: "errors < 0.30"}  # fireline: accept until-idle: why')
    assert house("check", "--strict").code == 0


def test_some_files_alone_are_told_of(house, tmp_path):
    spoil(house, "fraud.yaml", "errors > 0.20", "errors > 20")
    assert house("check", str(house.rules / "servers.yaml")).code == 0
    assert "1 file: sound" in house("check", str(house.rules / "servers.yaml")).err
    assert house("check", str(house.rules / "fraud.yaml"), str(house.rules / "servers.yaml")).code == 1
    assert house("check", str(house.rules)).code == 1
    elsewhere = tmp_path / "alone.yaml"
    elsewhere.write_text("rules: [{name: x}]")
    said = house("check", str(elsewhere))
    assert said.code == 1
    assert "`measures` is missing" in said.out
    assert "alone.yaml" in said.out


def test_a_file_that_is_not_there_is_refused(house):
    said = house("check", "nowhere.yaml")
    assert said.code == 1
    assert "there is no file 'nowhere.yaml'" in said.err


def test_annotations_for_github(house, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(house.home))
    spoil(house, "fraud.yaml", "errors > 0.20", "errors > 20")
    said = house("check", "--format", "github")
    assert said.code == 1
    assert re.fullmatch(
        r"::error file=rules/fraud\.yaml,line=\d+,col=\d+,title=fireline share-as-percent::"
        r"`errors > 20` never holds: .* \(5 %25 is 0\.05: did you mean `0\.2`\?\)\n",
        said.out,
    )


def test_annotations_are_escaped(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    tell_github([Problem("a,b:c%.yaml", 1, 2, "50 % of\nit: ::error::", severity="warning", code="type")])
    said = "::warning file=a%2Cb%3Ac%25.yaml,line=1,col=2,title=fireline type::50 %25 of%0Ait: ::error::\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("width", [20, 60, 200])
def test_a_terminal_shows_the_line_and_a_caret_below_the_place(tmp_path, width):
    path = tmp_path / "x.yaml"
    path.write_text("rules:\n" + " " * 90 + "when: \t'p99'\x1b[31m tail\n")
    column = path.read_text().splitlines()[1].index("p99") + 1
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=width, color_system=None, highlight=False)
    tell([Problem(str(path), 2, column, "found `p99`", hint="do not", code="type")], console)
    lines = told.getvalue().splitlines()
    shown, caret = (line for line in lines if " | " in line)
    assert shown[caret.index("^") :].startswith("p99")
    assert "\x1b[31m" not in shown
    assert lines[-1] == "  hint: do not"


def test_a_terminal_shows_no_line_of_a_file_that_is_gone(tmp_path):
    told = io.StringIO()
    tell([Problem(str(tmp_path / "gone.yaml"), 7, 3, "x")], Console(file=told, force_terminal=True, width=80))
    assert " | " not in told.getvalue()


def only_dana(house) -> None:
    """On call for the platform is Dana, always, and nobody else is asked; Slack is the one way to reach her."""
    oncall = (house.rules / "oncall.yaml").read_text()
    oncall = oncall[: oncall.index("  platform:\n    levels:")]
    level = '  platform:\n    levels:\n      - {targets: ["schedule:platform"], wait: 10m}\n'
    (house.rules / "oncall.yaml").write_text(oncall + level)
    catalog = (house.rules / "catalog.yaml").read_text()
    (house.rules / "catalog.yaml").write_text(catalog.replace("{slack: U0DANA, console: dana}", "{slack: U0DANA}"))


def test_the_proof_goes_by_the_channels_that_are_named_and_the_command_line_wins(house):
    only_dana(house)
    assert "only `dana` can be reached, and on one channel alone" in house("check").out
    said = house("check", "--channels", "console")
    assert said.code == 1
    assert "nobody can be reached at any time: rule " in said.out
    assert "-> owner platform -> policy platform -> level 1: Dana Novak has no contact" in said.out
    catalog = house.rules / "catalog.yaml"
    catalog.write_text("channels: [console]\n" + catalog.read_text())
    assert "[nobody-reachable]" in house("check").out
    assert house("check", "--channels", "slack, console").code == 0
    unknown = house("check", "--channels", "slack,pigeon")
    assert (unknown.code, "there is no channel 'pigeon'" in unknown.err) == (1, True)


def test_a_process_that_runs_does_not_refuse_files_that_leave_a_gap_and_the_doctor_tells(house):
    only_dana(house)
    catalog = house.rules / "catalog.yaml"
    catalog.write_text("channels: [console]\n" + catalog.read_text())
    assert house("oncall", "now").code == 0
    said = house("doctor")
    assert "!! on call" in said.out
    assert "nobody can be reached at any time" in said.out
