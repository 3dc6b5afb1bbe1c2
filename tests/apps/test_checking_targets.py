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
