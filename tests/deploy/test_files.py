"""What is deployed is checked against its schemas; no container engine is needed for that."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fireline.apps.settings import PREFIX, Settings

BIN = Path(sys.executable).parent


def test_compose_file_satisfies_the_compose_schema(repository: Path):
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", repository / "docker-compose.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_variables_are_settings_that_exist(repository: Path):
    services = yaml.safe_load((repository / "docker-compose.yml").read_text())["services"]
    named = {
        name for service in services.values() for name in service.get("environment", {}) if name.startswith(PREFIX)
    }
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    assert named <= known
    assert {"FIRELINE_DATABASE", "FIRELINE_KAFKA"} <= named


def test_compose_runs_every_role_of_the_command_line(repository: Path):
    services = yaml.safe_load((repository / "docker-compose.yml").read_text())["services"]
    assert {tuple(service["command"]) for service in services.values() if "command" in service} == {
        ("stream",),
        ("respond",),
        ("web",),
    }


@pytest.mark.skipif(platform.machine() != "x86_64", reason="hadolint's wheel exists for x86_64 Linux only")
def test_image_satisfies_hadolint(repository: Path):
    done = subprocess.run(
        [BIN / "hadolint", repository / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_image_copies_only_what_exists(repository: Path):
    text = (repository / "deploy" / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.M):
        *sources, _target = line.split()
        for source in sources:
            assert (repository / source).exists(), source


def test_lock_file_names_no_registry(repository: Path):
    assert not re.search(r"https?://|--index-url|--find-links", (repository / "requirements.lock").read_text())
