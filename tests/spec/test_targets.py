"""The targets file: what it allows, and every fault with its place."""

import pytest

from fireline.domain.targets import Command, Database, Prometheus, Targets
from fireline.spec.targets import read_targets

SOUND = """\
topics: [ml.retrain]
commands:
  restart:
    argv: [/usr/bin/systemctl, restart, "{unit}.service", "--job={job}"]
    parameters: {unit: "scorer-[a-z]+"}
    env: {LANG: C, TOKEN: secret:DEPLOY}
    cwd: /srv
    timeout: 30s
databases:
  orders: {url: "postgresql://reader@db/orders", password: secret:ORDERS}
prometheus:
  main: {url: "https://prometheus.example"}
"""


def read(text):
    return read_targets("targets.yaml", text.encode())


def test_a_sound_file_says_what_is_allowed():
    targets, problems = read(SOUND)
    assert problems == ()
    restart = targets.commands["restart"]
    assert restart.argv[0] == "/usr/bin/systemctl"
    assert (restart.directory, restart.timeout, restart.environment["TOKEN"]) == ("/srv", 30.0, "secret:DEPLOY")
    assert targets.topics == {"ml.retrain"}
    assert targets.databases == {"orders": Database("postgresql://reader@db/orders", "ORDERS")}
    assert targets.prometheus == {"main": Prometheus("https://prometheus.example")}
    filled = restart.filled({"unit": "scorer-a", "job": "7"})
    assert filled == ("/usr/bin/systemctl", "restart", "scorer-a.service", "--job=7")


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "message"),
    [
        ("/usr/bin/systemctl", "systemctl", "commands.restart.argv", 4, "not a whole path"),
        ("/usr/bin/systemctl", "'/bin/{unit}'", "commands.restart.argv", 4, "not a whole path"),
        ('"scorer-[a-z]+"', '"("', "commands.restart.parameters.unit", 5, "no regular expression"),
        ("{unit: ", "{unti: ", "commands.restart.parameters.unti", 5, "no argument takes"),
        ("30s", "2h", "commands.restart.timeout", 8, "540 seconds"),
        ("LANG: C", "1X: C", "commands.restart.env", 6, "not a variable"),
        ("cwd: /srv", "cwd: srv", "commands.restart.cwd", 7, ""),
        ("reader@db", "reader:pasted@db", "databases.orders.url", 10, "holds no password"),
        ("postgresql://reader@db/orders", "mysql://reader@db/orders", "databases.orders.url", 10, "sqlite:///PATH"),
        ("secret:ORDERS", "pasted", "databases.orders.password", 10, ""),
        ("[ml.retrain]", "[fireline.incidents]", "topics[0]", 1, "Fireline's own"),
        ("https://prometheus", "ftp://prometheus", "prometheus.main.url", 12, "http"),
        ("topics:", "topcis:", "topcis", 1, ""),
    ],
)
def test_a_fault_is_told_where_it_is(old, new, path, line, message):
    targets, problems = read(SOUND.replace(old, new, 1))
    assert targets is None
    (problem,) = problems
    assert (problem.path, problem.line) == (path, line)
    assert message in problem.message + problem.hint


def test_all_faults_at_once_and_an_empty_file():
    targets, problems = read(SOUND.replace("30s", "2h").replace("/usr/bin/", "").replace("[ml.retrain]", "['a b']"))
    assert targets is None
    assert len(problems) == 3
    assert read("")[0] is None
    assert read("a: [")[0] is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "'unit' is missing"),
        ({"unit": "a", "more": "b"}, "no parameter 'more'"),
        ({"unit": "a; rm -rf /"}, "does not match"),
        ({"unit": "a\n"}, "does not match"),
        ({"unit": "a\0"}, "does not match"),
        ({"unit": "--force"}, "does not match"),
        ({"unit": "a" * 1001}, "does not match"),
    ],
)
def test_a_parameter_is_what_its_pattern_says_in_full(given, reason):
    found = Command(("/bin/x", "{unit}"), {"unit": "[a-z]+"}).filled(given)
    assert isinstance(found, str)
    assert reason in found


def test_what_a_parameter_says_is_never_a_place():
    command = Command(("/bin/x", "{one}", "{two}"), {"one": ".*", "two": ".*"})
    assert command.filled({"one": "{two}", "two": "secret"}) == ("/bin/x", "{two}", "secret")


def test_nothing_is_allowed_without_a_file():
    assert all(not names for names in Targets().names().values())
