"""`fireline check` knows the targets file: its faults, and the steps that name what it does not allow."""

BOOK = """\
name: restart-it
owner: payments-ml
description: Restart.
steps:
  - {id: a, uses: command.run, with: {command: restart-scorers}, irreversible: true}
  - {id: b, uses: sql.query, with: {database: orders, statement: SELECT 1}}
  - {id: c, uses: command.run, with: {command: restart-scorer}, irreversible: true}
  - id: d
    uses: wait_for
    with: {metric: {prometheus: main, query: up, when: "value > 0.0"}}
"""
TARGETS = "commands: {restart-scorer: {argv: [/bin/restart]}}\n"


def test_a_step_that_names_what_is_not_allowed_is_told_where_the_file_is_known(house, tmp_path, monkeypatch):
    (house.rules.parent / "runbooks" / "restart-it.yaml").write_text(BOOK)
    assert house("check").code == 0, "elsewhere, as in the CI of rules, nobody knows what is allowed"
    file = tmp_path / "targets.yaml"
    file.write_text(TARGETS)
    monkeypatch.setenv("FIRELINE_TARGETS", str(file))
    said = house("check")
    assert said.code == 1
    assert "3 errors" in said.err
    assert "error: the targets file has no command `restart-scorers` [unknown-name]" in said.out
    assert "did you mean `restart-scorer`?" in said.out
    assert "the targets file has no database `orders`" in said.out
    assert "the targets file has no prometheus `main`" in said.out


def test_faults_of_the_file_are_told_with_their_places(house, tmp_path, monkeypatch):
    file = tmp_path / "targets.yaml"
    file.write_text(TARGETS.replace("/bin/restart", "restart"))
    monkeypatch.setenv("FIRELINE_TARGETS", str(file))
    said = house("check")
    assert said.code == 1
    assert "targets.yaml:1:" in said.out
    assert "is not a whole path" in said.out
    monkeypatch.setenv("FIRELINE_TARGETS", str(tmp_path / "gone.yaml"))
    gone = house("check")
    assert gone.code != 0
    assert "FIRELINE_TARGETS" in gone.err + gone.out


REACHING = """\
name: reach
owner: payments-ml
inputs: {host: {type: string, default: a}, unit: {type: string, default: scorer-a}}
steps:
  - {id: a, uses: http.request, with: {url: "https://deploy.example/x"}, irreversible: true}
  - {id: b, uses: http.get, with: {url: "https://deploys.example/{{ inputs.host }}"}}
  - {id: c, uses: http.get, with: {url: "https://{{ inputs.host }}.example/x"}}
  - {id: d, uses: http.get, with: {url: "https://10.9.0.1:8443/x"}}
  - id: e
    uses: http.request
    with: {url: "https://deploy.example/x", poll: {url: "https://else.example/state", until: "json.ok"}}
    irreversible: true
  - {id: f, uses: command.run, with: {command: restart-scorer, parameters: {unit: "scorer; rm"}}, irreversible: true}
  - {id: g, uses: command.run, with: {command: restart-scorer, parameters: {units: x}}, irreversible: true}
  - id: h
    uses: command.run
    with: {command: restart-scorer, parameters: {unit: "{{ inputs.unit }}"}}
    irreversible: true
"""


def test_addresses_and_parameters_that_would_be_refused_are_told_where_it_is_known(house, tmp_path, monkeypatch):
    (house.rules.parent / "runbooks" / "reach.yaml").write_text(REACHING)
    assert house("check", "--strict").code == 0, "elsewhere nobody knows what is allowed"
    file = tmp_path / "targets.yaml"
    file.write_text(
        "commands: {restart-scorer: {argv: [/bin/restart, '{unit}'], parameters: {unit: 'scorer-[a-z]'}}}\n"
    )
    monkeypatch.setenv("FIRELINE_TARGETS", str(file))
    monkeypatch.setenv("FIRELINE_HTTP_ALLOW", "deploy.example,10.1.0.0/16")
    said = house("runbook", "check")
    assert said.code == 0, said.out
    told = [line.partition("reach.yaml:")[2] for line in said.out.splitlines() if "reach.yaml:" in line]
    assert [line.partition(": warning: this would be refused: ")[::2] for line in told] == [
        ("6:41", "deploys.example is not on the allow-list [not-allowed]"),
        ("8:41", "10.9.0.1 is not on the allow-list [not-allowed]"),
        ("11:57", "else.example is not on the allow-list [not-allowed]"),
        ("13:83", "`scorer; rm` does not match scorer-[a-z] [not-allowed]"),
        ("14:48", "the parameter `unit` is missing [not-allowed]"),
        ("14:84", "there is no parameter `units` [not-allowed]"),
    ]
    assert "hint: add `deploys.example` to FIRELINE_HTTP_ALLOW, where this Fireline is set up" in said.out
    assert "hint: did you mean `unit`?" in said.out
    assert house("runbook", "check", "--strict").code == 1


PLAIN = """\
name: plain
owner: payments-ml
steps:
  - id: a
    uses: http.get
    with:
      url: https://deploy.example/x
      headers: {authorization: Bearer abc, X-API-Key: "secret:KEY", Cookie: "{{ run.id }}", Accept: text/plain}
"""


def test_a_secret_that_is_written_into_a_runbook_is_told(house):
    (house.rules.parent / "runbooks" / "plain.yaml").write_text(PLAIN)
    said = house("check")
    told = [line.partition("plain.yaml:")[2] for line in said.out.splitlines() if "plain.yaml:" in line]
    assert told == ["8:32: warning: what `authorization` proves stands in the file for all to read [not-allowed]"]
    assert "write `secret:NAME`" in said.out
