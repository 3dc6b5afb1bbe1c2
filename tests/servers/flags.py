"""Feature flags behind the APIs that flags.* speaks, with one state: over HTTP, or without a server."""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

from fireline.engine.outgoing import Response

UNLEASH = re.compile(r"/api/admin/projects/default/features/([^/]+)/environments/production(/on|/off)?$")
LAUNCHDARKLY = re.compile(r"/api/v2/flags/default/([^/]+)$")
FLAGSMITH = re.compile(r"/api/v1/environments/production/featurestates/(\d+/)?$")
HTTP = re.compile(r"/flags/([^/]+)$")


@dataclass
class Flags:
    """`slow` reads still see what was before a change; `token` is asked for where it is set."""

    values: dict
    slow: int = 0
    token: str = ""
    seen: dict = field(default_factory=dict)
    writes: list = field(default_factory=list)

    def __post_init__(self):
        self.seen = dict(self.values)

    def fetched(self, request):
        query = parse_qs(urlsplit(request.url).query)
        status, body = self.answer(request.method, unquote(urlsplit(request.url).path), query, request.json)
        return Response(status, {}, json.dumps(body))

    def app(self):
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._http)
        return app

    async def _http(self, request):
        if self.token and self.token not in request.headers.get("Authorization", ""):
            return web.json_response({"message": "who are you?"}, status=401)
        body = await request.json() if request.can_read_body else None
        query = {name: [value] for name, value in request.query.items()}
        status, answer = self.answer(request.method, request.path, query, body)
        return web.json_response(answer, status=status)

    def answer(self, method, path, query, body):
        for pattern, ask in (
            (UNLEASH, self._unleash),
            (LAUNCHDARKLY, self._launchdarkly),
            (FLAGSMITH, self._flagsmith),
            (HTTP, self._plain),
        ):
            if found := pattern.match(path):
                return ask(method, found, query, body)
        return 404, {"message": f"no such path {path}"}

    def _read(self, flag):
        if self.slow:
            self.slow -= 1
        else:
            self.seen = dict(self.values)
        return self.seen.get(flag)

    def _write(self, flag, value):
        self.writes.append((flag, value))
        self.values[flag] = value

    def _unleash(self, method, found, query, body):
        flag, switch = found.groups()
        if flag not in self.values:
            return 404, {"message": "Could not find feature flag"}
        if method == "GET" and not switch:
            return 200, {"name": "production", "enabled": self._read(flag), "strategies": []}
        if method == "POST" and switch:
            self._write(flag, switch == "/on")
            return 200, {}
        return 405, {"message": "no"}

    def _launchdarkly(self, method, found, query, body):
        flag = found.group(1)
        if flag not in self.values:
            return 404, {"message": "Unknown flag key"}
        if method == "PATCH":
            (operation,) = body
            if operation["op"] != "replace" or operation["path"] != "/environments/production/on":
                return 400, {"message": "bad patch"}
            self._write(flag, operation["value"])
        return 200, {"key": flag, "environments": {"production": {"on": self._read(flag)}}}

    def _flagsmith(self, method, found, query, body):
        names = sorted(self.values)
        if method == "GET" and found.group(1) is None:
            wanted = [n for n in names if n == query["feature_name"][0]]
            return 200, {"results": [{"id": names.index(n) + 1, "enabled": self._read(n)} for n in wanted]}
        if method == "PATCH" and found.group(1):
            self._write(names[int(found.group(1)[:-1]) - 1], body["enabled"])
            return 200, {}
        return 405, {"message": "no"}

    def _plain(self, method, found, query, body):
        flag = found.group(1)
        if flag not in self.values or query.get("environment") != ["production"]:
            return 404, {"message": "no such flag"}
        if method == "PUT":
            self._write(flag, body["value"])
        return 200, {"value": self._read(flag)}
