"""What the benchmarks of whole processes share: starting and ending them, and figures in tables and JSON."""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".tools"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its limit or its peer's value; `ratio` says how much better ours is (1 is as good)."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Of rates ours over the peer's; of all else (times, memory) the peer's, or the limit, over ours."""
        if self.peer_value is None or self.value <= 0 or self.peer_value <= 0:
            return None
        ours = self.value / self.peer_value
        return round(ours if self.unit.endswith("/s") else 1 / ours, 2)


def percentile(values: Sequence[float], q: float) -> float:
    """The nearest-rank percentile, `q` from 0 to 1; of no values it is not a number."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


def as_json(figures: Sequence[Figure]) -> str:
    """The figures as one line."""
    return json.dumps([{**asdict(f), "value": round(f.value, 1), "ratio": f.ratio} for f in figures])


def show(title: str, figures: Sequence[Figure]) -> None:
    """The figures as a table."""
    table = Table(title=title)
    for name in ("what", "measured", "beside", "its value", "ratio"):
        table.add_column(name, justify="left" if name in {"what", "beside"} else "right")
    for figure in figures:
        other = "" if figure.peer_value is None else f"{_number(figure.peer_value)} {figure.unit}"
        ratio = "" if figure.ratio is None else f"{figure.ratio}x"
        table.add_row(figure.name, f"{_number(figure.value)} {figure.unit}", figure.peer, other, ratio)
    Console(width=max(130, shutil.get_terminal_size().columns)).print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}"


def report(title: str, figures: Sequence[Figure], *, in_json: bool) -> None:
    """The figures as JSON, or as a table that says how busy the machine was."""
    if in_json:
        print(as_json(figures))
    else:
        show(f"{title}; load of the machine {os.getloadavg()[0]:.1f}", figures)


def arguments_of(text: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark of whole processes has."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--broker", choices=("embedded", "apache", "both"), default="embedded")
    parser.add_argument("--load", type=int, default=20_000, help="events a second that fire nothing, beside all trials")
    parser.add_argument("--trials", type=int, default=0, help="how many trials of each kind")
    parser.add_argument("--keep", type=Path, help="write here what was started and how it went, and leave it there")
    return parser


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(what: str, found: Callable[[], object], seconds: float = 30.0, every: float = 0.1) -> None:
    """Wait until `found` answers something true; raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own that writes to `log`; it is ended with all that it started."""
    with log.open("ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(5)


def listening(port: int) -> bool:
    """Whether somebody answers on this port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


@contextmanager
def broker(kind: str, home: Path) -> Iterator[dict[str, str]]:
    """What `fireline up` has to be told of the broker: nothing of the `embedded` one, the address of `apache`."""
    if kind == "embedded":
        yield {}
        return
    with apache_kafka(home) as bootstrap:
        yield {"FIRELINE_KAFKA": bootstrap}


@contextmanager
def apache_kafka(home: Path, heap: str = "1g") -> Iterator[str]:
    """One node of Apache Kafka as a process: its address."""
    with apache_node(home, heap) as (address, _):
        yield address


@contextmanager
def apache_node(home: Path, heap: str = "1g", gather: float = 0.0) -> Iterator[tuple[str, int]]:
    """One node of Apache Kafka: its address and its process; new groups wait `gather` seconds for more members."""
    jars, port, controller = TOOLS / "kafka", free_port(), free_port()
    if not jars.is_dir():
        raise SystemExit("Apache Kafka is not installed: run `bash deploy/test-tools.sh`")
    properties = home / "server.properties"
    properties.write_text(
        (ROOT / "deploy" / "kafka" / "server.properties").read_text()
        + f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        + f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        + f"controller.quorum.voters=1@127.0.0.1:{controller}\nlog.dirs={home / 'kafka'}\n"
        + f"group.initial.rebalance.delay.ms={int(gather * 1000)}\n"
    )
    # compiling little: it would go on beside the measurement, on the same cores
    java = [
        "java",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    ]
    java += ["-cp", f"{jars}/*"]
    cluster = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")
    formatting = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    subprocess.run(formatting, check=True, capture_output=True, cwd=home)
    with process([*java, "kafka.Kafka", str(properties)], home / "kafka.log") as node:
        eventually("Apache Kafka listens", lambda: listening(port), 60)
        yield f"127.0.0.1:{port}", node.pid
