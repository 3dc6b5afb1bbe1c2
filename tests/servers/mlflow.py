"""A real MLflow tracking server, from the environment of its own in `.tools/mlflow`: one a session, on a free port."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.servers.ports import free_port

PYTHON = Path(__file__).parents[2] / ".tools" / "mlflow" / "bin" / "python"
PATIENCE = 600.0
"""Seconds it may take to begin: it makes its database first."""
KEEPS = 10
"""Seconds for which its gateway routes by the weights that it has in memory: the least that it takes."""


class MlflowServer:
    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [str(PYTHON), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
        command += ["--secrets-cache-ttl", str(KEEPS)]
        command += ["--default-artifact-root", str(folder / "artifacts")]
        quiet = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        loopback = {
            "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **quiet, **loopback},
                start_new_session=True,
            )

    def wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self._process.poll() is None, self._log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=60) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        raise AssertionError(f"MLflow did not begin: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory):
    assert PYTHON.exists(), "make test installs MLflow into .tools/mlflow (deploy/test-tools.sh)"
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()
