"""Prometheus and Alertmanager beside Fireline: the same trials, scraped and evaluated every second, no group wait.

Found on PATH or unpacked under `.tools/prometheus` (`apt-get download prometheus prometheus-alertmanager`, then
`dpkg -x FILE.deb .tools/prometheus`).
"""

import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from harness import TOOLS, eventually, free_port, listening, process

_PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}}
rule_files: [{home}/alerts.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{manager}"]}}]}}]}}
scrape_configs: [{{job_name: trials, static_configs: [{{targets: ["127.0.0.1:{desk}"]}}]}}]
"""
_ALERTS = """
groups:
  - name: trials
    rules: [{alert: Slow, expr: latency_ms > 800, for: 0s}]
"""
_MANAGER = """
route: {{receiver: desk, group_by: [service], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: desk, webhook_configs: [{{url: "http://127.0.0.1:{desk}/hook", send_resolved: false}}]}}]
"""


@dataclass
class Peer:
    """The gauges that Prometheus scrapes, and when Alertmanager's webhook named which service first."""

    values: dict[str, float] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)

    def exposition(self) -> str:
        """The gauges in Prometheus' text format."""
        lines = [f'latency_ms{{service="{service}"}} {value}' for service, value in self.values.items()]
        return "\n".join(["# TYPE latency_ms gauge", *lines, ""])

    async def scraped(self, _: web.Request) -> web.Response:
        """GET /metrics."""
        return web.Response(text=self.exposition())

    async def hooked(self, request: web.Request) -> web.Response:
        """POST /hook."""
        at = time.time()
        for alert in json.loads(await request.read())["alerts"]:
            self.told.setdefault(alert["labels"]["service"], at)
        return web.Response()


def program(name: str) -> str | None:
    """Where Debian's program is, None when it is not here."""
    unpacked = TOOLS / "prometheus" / "usr" / "bin" / name
    return shutil.which(name) or (str(unpacked) if unpacked.exists() else None)


@asynccontextmanager
async def prometheus_and_alertmanager(home: Path) -> AsyncIterator[Peer | None]:
    """Both as processes, with their own small data; None when they are not installed."""
    server, manager = program("prometheus"), program("prometheus-alertmanager")
    if server is None or manager is None:
        yield None
        return
    peer = Peer()
    app = web.Application()
    app.router.add_get("/metrics", peer.scraped)
    app.router.add_post("/hook", peer.hooked)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    desk = runner.addresses[0][1]
    try:
        with ExitStack() as held:
            _start(held, home, (server, manager), desk)
            yield peer
    finally:
        await runner.cleanup()


def _start(held: ExitStack, home: Path, programs: tuple[str, str], desk: int) -> None:
    port, manager = free_port(), free_port()
    (home / "prometheus.yml").write_text(_PROMETHEUS.format(home=home, manager=manager, desk=desk))
    (home / "alerts.yml").write_text(_ALERTS)
    (home / "alertmanager.yml").write_text(_MANAGER.format(desk=desk))
    held.enter_context(
        process(
            [
                programs[1],
                f"--config.file={home}/alertmanager.yml",
                f"--storage.path={home}/alertmanager",
                f"--web.listen-address=127.0.0.1:{manager}",
                "--cluster.listen-address=",
            ],
            home / "alertmanager.log",
        )
    )
    held.enter_context(
        process(
            [
                programs[0],
                f"--config.file={home}/prometheus.yml",
                f"--storage.tsdb.path={home}/prometheus",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            home / "prometheus.log",
        )
    )
    eventually("Prometheus and Alertmanager listen", lambda: listening(port) and listening(manager))
