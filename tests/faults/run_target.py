"""What runbooks act on, for runs that are killed: an HTTP server that counts by key what it was asked and did.

Under one address it is a cluster (`/kubernetes`), a server of flags, one of models, and for anything else a target that
does what a key asks once and says the same to whoever asks again. A step whose end is told by a test of its runbook is
asked here as well (`/told`): it ends as that test says.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fireline.actions.kubernetes_rollouts import KEY
from fireline.engine.outgoing import Request
from tests.actions.mlflow_double import Registry
from tests.servers.flags import Flags
from tests.servers.kubernetes import Deployments, template

GENERIC = {"ok": True, "done": True, "state": "done", "status": "done"}
"""What a target says of which nothing else is known; `until` of most polls is met by it."""

Answer = tuple[int, Any]


class Target:
    """`seen` and `done` count by key, and know nothing of the runs."""

    def __init__(self) -> None:
        self.port = 0
        self.before_answer: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self.reset([])

    def reset(self, steps: list[tuple[str, Mapping[str, Any]]]) -> None:
        """As it is before a run whose steps are these: what they use, with their options."""
        self.seen: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._said: dict[str, dict[str, object]] = {}
        self.cluster, self.flags, self.models = Deployments(slow=1), Flags({}), Registry(versions=9)
        for uses, options in steps:
            self._seed(uses.partition(".")[0], options)

    def _seed(self, family: str, options: Mapping[str, Any]) -> None:
        if family == "kubernetes":
            name, namespace = options["deployment"], options.get("namespace", "default")
            if (namespace, name) not in self.cluster.deployments:
                self.cluster.create(name, namespace, first=template("scorer:1"))
                self.cluster.deploy(template("scorer:2"), name, namespace)
        elif family == "mlflow":
            self.models.aliases.setdefault(options["alias"], "7")
        elif family == "flags":
            self.flags.values.setdefault(options["flag"], not options.get("value", False))

    def state(self) -> dict[str, object]:
        """What is there now, and what was done by which key."""
        pods = {
            f"{namespace}/{name}": [
                found["spec"]["replicas"],
                bool(found["spec"].get("paused")),
                [each["image"] for each in found["spec"]["template"]["spec"]["containers"]],
            ]
            for (namespace, name), found in self.cluster.deployments.items()
        }
        done = dict(sorted(self.done.items()))
        return {"pods": pods, "flags": self.flags.values, "aliases": self.models.aliases, "done": done}

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> Answer:
        """One request, one at a time."""
        path = unquote(urlsplit(url).path)
        with self._lock:
            if path == "/told":
                return 200, self._told(body)
            host, _, rest = path[1:].partition("/")
            if path.startswith("/kubernetes/"):
                return self._kubernetes(method, path.split("/")[2:], parse_qs(urlsplit(url).query), body)
            said = {**GENERIC, "url": f"https://{host}/state"}
            return self._elsewhere(method, "/" + rest, url, headers.get("Idempotency-Key", ""), body, said)

    def _told(self, body: Any) -> dict[str, object]:
        key, ends = body["key"], body["ends"]
        if key not in self._said:
            end = ends[min(self.seen[key], len(ends) - 1)]
            if end["end"] == "retry":
                self.seen[key] += 1
                return dict(end)
            self._said[key] = end
            if body["mutates"]:
                self.done[key] += 1
        self.seen[key] += 1
        return self._said[key]

    def _kubernetes(self, method: str, parts: list[str], query: Mapping[str, list[str]], body: Any) -> Answer:
        namespace, name = parts
        if not name:
            return self.cluster.listed(namespace, query["selector"][0])
        if method == "GET":
            return self.cluster.read(namespace, name)
        mark = next(each["value"] for each in body if each["path"].endswith(KEY.replace("/", "~1")))
        key = str(mark).partition("@")[0]  # the time that stands behind it is another in each run
        self.seen[key] += 1
        status, answer = self.cluster.patch(namespace, name, "json", body)
        self.done[key] += status == 200
        return status, answer

    def _elsewhere(self, method: str, path: str, url: str, key: str, body: Any, said: Any) -> Answer:
        query = parse_qs(urlsplit(url).query)
        before = dict(self.models.aliases)
        if "/mlflow/" in path:
            found = asyncio.run(self.models(Request(method, f"http://x{path}?{urlsplit(url).query}", json=body)))
            status, answer, acted = found.status, json.loads(found.text), self.models.aliases != before
        else:
            writes = len(self.flags.writes)
            status, answer = self.flags.answer(method, path, query, body)
            acted = len(self.flags.writes) > writes
            if status == 404 and answer.get("message", "").startswith("no such path"):
                status, answer, acted = 200, said, not self.seen[key]
        if method != "GET":
            self.seen[key] += 1
            self.done[key] += acted
        return status, answer


@contextmanager
def serving() -> Iterator[Target]:
    """The target on a free port of this machine."""
    target = Target()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answered(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = target.answer(self.command, self.path, self.headers, body)
            target.before_answer()
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answered
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, address: Any) -> None:
            """Who asked was killed; that is what this is for."""

    server = Server(("127.0.0.1", 0), Handler)
    target.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
