"""Fixtures for tests of commands."""

import os

import pytest

from tests.apps.command import House


@pytest.fixture
def house(tmp_path, repository, monkeypatch, capsys):
    """`fireline` on a database and files of this test's own; nothing of the environment is left."""
    for name in list(os.environ):
        if name.startswith("FIRELINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    made = House(tmp_path, repository, monkeypatch, capsys)
    yield made
    made.close()
