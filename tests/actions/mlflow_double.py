"""What an MLflow server answers about aliases, in memory: for tests of what may go wrong in between."""

import json
from urllib.parse import parse_qs, urlsplit

from fireline.engine.outgoing import Response


class Double:
    """An MLflow API: `plan` holds answers to give first, None for its own; `on_write` is what writes are answered."""

    def __init__(self):
        self.requests = []
        self.plan = []
        self.on_write = None

    async def __call__(self, request):
        self.requests.append(request)
        if self.plan and (planned := self.plan.pop(0)) is not None:
            return planned
        return self.answer(request)


class Registry(Double):
    """One model with versions, and where its aliases stand. `slow` reads still see what was before a change."""

    def __init__(self, versions=4, **aliases):
        super().__init__()
        self.versions = {str(n): "READY" for n in range(1, versions + 1)}
        self.aliases = dict(aliases)
        self.seen = dict(aliases)
        self.slow = 0

    def answer(self, request):
        path, query = urlsplit(request.url).path, parse_qs(urlsplit(request.url).query)
        if path.endswith("/registered-models/alias"):
            return self._alias(request, query)
        if path.endswith("/model-versions/get"):
            return self._version(query["version"][0])
        return said(200, {"registered_model": {"name": "fraud"}})

    def _alias(self, request, query):
        if request.method == "GET":
            if self.slow:
                self.slow -= 1
            else:
                self.seen = dict(self.aliases)
            version = self.seen.get(query["alias"][0])
            missing = {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias not found."}
            return said(200, {"model_version": {"version": version}}) if version else said(400, missing)
        if request.method == "POST":
            self.aliases[request.json["alias"]] = request.json["version"]
        else:
            self.aliases.pop(request.json["alias"], None)
        return self.on_write or said(200, {})

    def _version(self, version):
        if version not in self.versions:
            return said(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Model Version {version} not found"})
        return said(200, {"model_version": {"version": version, "status": self.versions[version]}})

    @property
    def writes(self):
        return [request for request in self.requests if request.method != "GET"]


def said(status, body):
    return Response(status, {}, json.dumps(body))
