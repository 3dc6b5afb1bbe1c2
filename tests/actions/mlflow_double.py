"""What an MLflow server answers about aliases, in memory: for tests of what may go wrong in between."""

import json
from urllib.parse import parse_qs, urlsplit

from fireline.engine.outgoing import Response


class Registry:
    """One model with versions, and where its aliases stand. `slow` reads still see what was before a change."""

    def __init__(self, versions=4, **aliases):
        self.versions = {str(n): "READY" for n in range(1, versions + 1)}
        self.aliases = dict(aliases)
        self.seen = dict(aliases)
        self.slow = 0
        self.requests = []
        self.plan = []
        self.on_write = None

    async def __call__(self, request):
        self.requests.append(request)
        if self.plan and (planned := self.plan.pop(0)) is not None:
            return planned
        path, query = urlsplit(request.url).path, parse_qs(urlsplit(request.url).query)
        if path.endswith("/registered-models/alias"):
            return self._alias(request, query)
        if path.endswith("/model-versions/get"):
            return self._version(query["version"][0])
        return _said(200, {"registered_model": {"name": "fraud"}})

    def _alias(self, request, query):
        if request.method == "GET":
            if self.slow:
                self.slow -= 1
            else:
                self.seen = dict(self.aliases)
            version = self.seen.get(query["alias"][0])
            missing = {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias not found."}
            return _said(200, {"model_version": {"version": version}}) if version else _said(400, missing)
        if request.method == "POST":
            self.aliases[request.json["alias"]] = request.json["version"]
        else:
            self.aliases.pop(request.json["alias"], None)
        return self.on_write or _said(200, {})

    def _version(self, version):
        if version not in self.versions:
            return _said(
                404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Model Version {version} not found"}
            )
        return _said(200, {"model_version": {"version": version, "status": self.versions[version]}})

    @property
    def writes(self):
        return [request for request in self.requests if request.method != "GET"]


def _said(status, body):
    return Response(status, {}, json.dumps(body))
