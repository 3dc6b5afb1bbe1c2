"""A real PostgreSQL server of its own: data in a temporary directory, a free loopback port, ended by process id.

PostgreSQL refuses to run as root, so then it runs as the system user `postgres` or `nobody`, who owns the directory.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers.ports import free_port

PATIENCE = 300.0


class PostgresServer:
    """One server; `stop`, `kill`, `freeze` and `start` are for tests of faults."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._user = _server_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count(1)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://fireline@127.0.0.1:{self.port}/{database}"

    def initialise(self) -> None:
        _own(self.folder, self._user)
        command = [_program("initdb"), "--pgdata", str(self.folder / "data"), "--username", "fireline"]
        command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        done = subprocess.run(command, **self._as_user(), capture_output=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",  # the machine does not lose power in a test; a killed process loses nothing by it
            "max_connections": 100,
            "shared_buffers": "32MB",
        }
        command = [_program("postgres"), "-D", str(self.folder / "data")]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process is None or self._process.poll() is not None:
                    raise AssertionError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End all sessions, write a checkpoint, end."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a crash: no goodbye. The server's own children notice and end."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Answer nothing, on new connections too, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def hang(self) -> None:
        """Every process of it stops: open connections stay open, and nothing is answered on any, until `unhang`."""
        self._all(signal.SIGSTOP)

    def unhang(self) -> None:
        self._all(signal.SIGCONT)

    def _all(self, number: signal.Signals) -> None:
        for pid in _processes_of(self.folder / "data"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def new_database(self, template: str = "template1") -> str:
        """The URL of an empty database, or of a copy of another that nobody uses."""
        name = f"test_{next(self._databases)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self.unhang()
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None
            self._wait_for_memory()

    def _wait_for_memory(self) -> None:
        """After a kill the children still hold the data directory for a moment, and a start would be refused."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            holders = _processes_of(self.folder / "data")
            if not holders:
                return
            time.sleep(0.02)
        raise AssertionError(f"processes {holders} of the killed server do not end")

    def _as_user(self) -> dict[str, object]:
        """Keywords for subprocess: the other user, none of our groups, a directory that the user may be in."""
        common: dict[str, object] = {"cwd": str(self.folder), "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if self._user is None:
            return common
        return {**common, "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server for the whole session; each test takes `new_database()`."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of its own."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of one's own, for tests that stop or kill it."""
    folder = Path(tempfile.mkdtemp(prefix="fireline-postgres-"))
    server = PostgresServer(folder, free_port())
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """From PATH, or the newest of the places where Debian puts it."""
    found = shutil.which(name)
    if found is not None and Path(found).resolve().parent.joinpath("postgres").exists():
        return str(Path(found).resolve())
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert places, f"{name} is not installed: the tests need the PostgreSQL server's programs"
    return str(places[-1])


def _server_user() -> pwd.struct_passwd | None:
    """Whom to run as: ourselves, unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("neither a user `postgres` nor `nobody` to run PostgreSQL as")


def _own(folder: Path, user: pwd.struct_passwd | None) -> None:
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _processes_of(data: Path) -> list[int]:
    """The processes whose working directory is the data directory: PostgreSQL's all are there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == data:
                found.append(int(entry.name))
    return found
