"""Running the sides of the stream's benchmarks: a broker, a filled topic, and one process or more that read it."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from fireline.adapters.embedded_broker import EmbeddedBroker
from fireline.adapters.kafka_topics import DEAD_LETTER, PARTIALS, REPLAY
from harness import TOOLS, Figure, apache_node, process
from stream_world import TOPIC, World, fill, fresh_topics

SIDES = Path(__file__).parent / "stream_sides.py"
QUIX = "quixstreams==3.28.1"
EMBEDDED_KEEPS = 80_000
"""Events that the embedded broker surely holds; it forgets beyond about 5 MB a partition."""

_groups = count(1)


@dataclass(frozen=True, slots=True)
class Told:
    """What one process told of its run: seconds by the clock and of processor time, memory in MB, and more."""

    events: int
    began: float
    ended: float
    seconds: float
    cpu: float
    peak: float
    empty_rss: float = 0.0
    rss: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    missing: Sequence[str] = ()

    @property
    def rate(self) -> float:
        """Events a second by the clock."""
        return self.events / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Events a second of processor time."""
        return self.events / self.cpu


class Broker:
    """A broker to measure on, and a directory for what runs leave; `fill` begins each with empty topics."""

    def __init__(self, kind: str, home: Path, gather: float, held: ExitStack) -> None:
        self.kind, self.home, self.generation = kind, home, ""
        self.address, self.pid = "", 0
        self._held = held
        if kind == "apache":
            self.address, self.pid = held.enter_context(apache_node(home, gather=gather))

    def processor(self) -> float:
        """The processor seconds that Apache Kafka has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fill(self, world: World, events: int) -> int:
        """Put so many events; how many it holds of them: the embedded one forgets."""
        if self.kind == "apache":
            fresh_topics(self.address)
        else:
            events = min(events, EMBEDDED_KEEPS)
            self._held.close()
            embedded = self._held.enter_context(EmbeddedBroker())
            embedded.create([TOPIC, REPLAY, PARTIALS, DEAD_LETTER])
            self.address, self.generation = embedded.bootstrap, embedded.generation
        fill(self.address, world, events)
        return events


@contextmanager
def broker(kind: str, gather: float = 0.0) -> Iterator[Broker]:
    """A broker of its own, `apache` or `embedded`; Apache Kafka lets new groups wait `gather` seconds for members."""
    with tempfile.TemporaryDirectory(prefix="fireline-bench-") as made, ExitStack() as held:
        yield Broker(kind, Path(made), gather, held)


def options_of(text: str | None) -> argparse.ArgumentParser:
    """The options that the benchmarks of the stream have in common."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end in about a minute")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--events", type=int, default=0, help="how many events a run has at most")
    parser.add_argument("--broker", choices=("apache", "embedded"), default="apache")
    return parser


def run_sides(
    broker: Broker, side: str, world: World, events: int, *, many: int = 1, profile: bool = False
) -> list[Told]:
    """`many` processes of one side in one new group, each with an equal share of `events`, until all have told."""
    group = f"bench-{side}-{next(_groups)}"
    shared = ["--kafka", broker.address, "--world", world.text(), "--group", group, "--home", str(broker.home)]
    shared += ["--events", str(events // many), "--generation", broker.generation, "--parent", str(os.getpid())]
    if profile:
        shared.append("--profile")
    commands = [[sys.executable, str(SIDES), side, *shared, "--name", f"{group}-{n}"] for n in range(many)]
    return _told(commands, broker.home / group)


def run_quix(broker: Broker, python: Path, emit: str, events: int, pane: float) -> Told:
    """Quix Streams over the same topic."""
    group = f"bench-quix-{next(_groups)}"
    home = broker.home / group
    command = [str(python), str(SIDES.with_name("quix_side.py")), "--kafka", broker.address, "--topic", TOPIC]
    command += ["--group", group, "--home", f"{home}-state", "--emit", emit, "--events", str(events)]
    return _told([[*command, "--pane", str(pane)]], home)[0]


def _told(commands: Sequence[Sequence[str]], log: Path, within: float = 300.0) -> list[Told]:
    """Start processes, wait for the line that each prints, and end them without ceremony."""
    logs = [log.with_name(f"{log.name}-{number}.log") for number in range(len(commands))]
    with ExitStack() as running:
        started = [running.enter_context(process(c, at)) for c, at in zip(commands, logs, strict=True)]
        try:
            return [_line(one, at, time.monotonic() + within) for one, at in zip(started, logs, strict=True)]
        finally:
            for one in started:  # nobody waits for an orderly end: groups and directories are not used again
                if one.poll() is None:
                    os.killpg(one.pid, signal.SIGKILL)


def _line(one: subprocess.Popen[bytes], log: Path, deadline: float) -> Told:
    while True:
        over = one.poll() is not None
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith('{"events"'):
                return Told(**json.loads(line))
        if over or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{log.stem} {'ended' if over else 'took too long'} and told nothing:\n{said}")
        time.sleep(0.05)


def quix_python() -> Path | str:
    """The interpreter of an environment with Quix Streams, made on first use; or why there is none.

    Its requirements (`confluent-kafka`, `pydantic`) are older than Fireline's, hence the environment of its own.
    """
    home = TOOLS / "quix"
    python, stamp = home / "bin" / "python", home / ".installed"
    if stamp.exists() and stamp.read_text() == QUIX:
        return python
    print(f"installing {QUIX} into {home.name} beside the other tools (once)", file=sys.stderr)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", QUIX]
    try:
        for command in ([sys.executable, "-m", "venv", "--clear", str(home)], install):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as fault:
        said = (getattr(fault, "stderr", "") or str(fault)).strip().splitlines()
        return f"{QUIX} cannot be installed: {said[-1] if said else fault!r}"
    stamp.write_text(QUIX)
    return python


def beside(name: str, ours: Told, peer: str, theirs: Told) -> list[Figure]:
    """Two rows: events a second by the clock, and a second of processor time."""
    return [
        Figure(name, ours.rate, "events/s", peer, theirs.rate),
        Figure(f"{name}, a second of processor time", ours.cpu_rate, "events/s", peer, theirs.cpu_rate),
    ]
