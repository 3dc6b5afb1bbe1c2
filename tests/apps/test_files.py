"""The configuration in force: the last good one, whatever happens to the files."""

import logging
import shutil

import pytest

from fireline.adapters.clock import FakeClock
from fireline.apps.bootstrap import plugins
from fireline.apps.files import BrokenFiles, Files, keep, last_good


@pytest.fixture
def home(tmp_path, repository):
    for name in ("rules", "runbooks"):
        shutil.copytree(repository / name, tmp_path / name)
    return tmp_path


def files(home, **more):
    return Files(home / "rules", home / "runbooks", plugins(), FakeClock(), **more)


def break_rules(home):
    path = home / "rules" / "fraud.yaml"
    path.write_text(path.read_text().replace("window: 10s", "window: soon"))


def test_broken_files_at_the_start_are_refused_with_every_fault(home):
    break_rules(home)
    (home / "rules" / "oncall.yaml").write_text("schedules: {a: 1}\n")
    with pytest.raises(BrokenFiles) as caught:
        files(home)
    places = {problem.file.rsplit("/", 1)[1] for problem in caught.value.problems}
    assert {"fraud.yaml", "oncall.yaml"} <= places
    assert all(problem.line > 0 and problem.column > 0 for problem in caught.value.problems)


def test_a_broken_change_leaves_the_last_good_one_in_force_and_is_told_once(home, caplog):
    loaded, told = files(home), []
    loaded.on_change.append(told.append)
    before = loaded.current
    sound = (home / "rules" / "fraud.yaml").read_text()
    break_rules(home)
    assert loaded.refresh()
    assert loaded.current is before
    assert loaded.refresh() == ()
    faults = [r.getMessage() for r in caplog.records if "fraud.yaml:" in r.getMessage()]
    assert len(faults) == len(set(faults)) == 3, "each rule's window, once"
    assert sum("stays in force" in r.getMessage() for r in caplog.records) == 1
    (home / "rules" / "fraud.yaml").write_text(sound)
    assert loaded.refresh() == ()
    assert loaded.current.hash == before.hash
    assert told == []


def test_a_sound_change_is_told_to_who_listens(home):
    loaded, told = files(home), []
    loaded.on_change.append(told.append)
    before = loaded.current.hash
    path = home / "rules" / "fraud.yaml"
    path.write_text(path.read_text().replace("p99 > 800", "p99 > 900"))
    loaded.refresh()
    assert [configuration.hash for configuration in told] == [loaded.current.hash]
    assert loaded.current.hash != before


def test_a_file_that_an_editor_replaced_by_one_of_the_same_size_and_time_is_seen(home):
    loaded = files(home)
    path = home / "rules" / "fraud.yaml"
    new = home / "new.yaml"
    new.write_text(path.read_text().replace("p99 > 800", "p99 > 900"))
    shutil.copystat(path, new)
    new.replace(path)
    before = loaded.current.hash
    loaded.refresh()
    assert loaded.current.hash != before


def test_a_file_that_is_still_being_written_changes_nothing(home):
    loaded = files(home)
    before, path = loaded.current.hash, home / "rules" / "fraud.yaml"
    sound = path.read_text()
    half = sound[: sound.index("  - name:", sound.index("  - name:") + 1)]
    assert len(half) < len(sound) / 2
    for written in ("", half, sound.replace("p99 > 800", "p99 > 900")):
        path.write_text(written)
        loaded.look()
        assert (loaded.current.hash, loaded.problems) == (before, ()), "not two looks the same"
    loaded.look()
    assert loaded.current.hash != before
    assert loaded.current.rules.keys() == files(home).current.rules.keys()


def test_an_empty_file_is_a_fault_and_takes_no_rules_away(home):
    loaded, path = files(home), home / "rules" / "fraud.yaml"
    before = loaded.current
    path.write_text("\n")
    (problem,) = loaded.refresh()
    assert (problem.message, problem.line) == ("the file is empty", 1)
    assert loaded.current is before
    path.write_text("# they come later\n")
    assert loaded.refresh() == ()
    assert not [name for name in loaded.current.rules if name.startswith("fraud_latency")]


@pytest.mark.parametrize("name", ["rules", "runbooks"])
def test_a_removed_directory_is_a_broken_change(home, name):
    loaded = files(home)
    before = loaded.current
    (home / name).rename(home / "away")
    problems = loaded.refresh()
    assert any("no such directory" in problem.message for problem in problems)
    assert loaded.current is before
    (home / "away").rename(home / name)
    assert loaded.refresh() == ()
    assert loaded.current.hash == before.hash


def test_what_editors_and_mounted_volumes_leave_beside_files_is_not_read(home):
    before = files(home).current.hash
    rules = home / "rules"
    shutil.copytree(rules, rules / "..2026_11_21")
    (rules / ".#fraud.yaml").symlink_to("nobody@nowhere:1")
    (rules / ".fraud.yaml").write_text("half a fi")
    (rules / "fraud.yaml~").write_text("the one before")
    assert files(home).current.hash == before


def test_a_role_that_starts_while_files_are_broken_goes_on_with_the_last_good_ones(home, caplog):
    kept = home / "kept"
    good = files(home, kept=kept).current
    break_rules(home)
    with pytest.raises(BrokenFiles):
        files(home)
    again = files(home, kept=kept)
    assert again.current.hash == good.hash
    assert list(again.current.rules) == list(good.rules)
    assert any("stays in force" in r.getMessage() for r in caplog.records if r.levelno == logging.ERROR)


def test_a_quiet_role_counts_faults_and_names_none(home, caplog):
    loaded = files(home, quiet=True)
    break_rules(home)
    loaded.refresh()
    assert [r.getMessage()[:8] for r in caplog.records if r.levelno == logging.ERROR] == ["3 errors"]


def test_only_the_latest_good_files_are_kept(home):
    kept = home / "kept"
    loaded = files(home, kept=kept)
    path = home / "rules" / "fraud.yaml"
    path.write_text(path.read_text().replace("p99 > 800", "p99 > 900"))
    loaded.refresh()
    folder = last_good(kept)
    assert folder is not None
    assert "p99 > 900" in (folder / "rules" / "fraud.yaml").read_text()
    assert [entry.name for entry in kept.iterdir() if entry.is_dir()] == [folder.name]
    keep(kept, loaded.current)
    assert last_good(kept) == folder


def test_nothing_is_kept_where_nothing_can_be_written(home, caplog):
    (home / "kept").write_text("a file")
    files(home, kept=home / "kept" / "below")
    assert "cannot be kept" in caplog.text
