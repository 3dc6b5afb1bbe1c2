"""What MLflow's gateway answers about one endpoint, in memory: its weights, and which model takes a request.

As a real one, it routes by what it keeps in memory: `stale` requests after a change are still routed by the weights
before. Requests go round the models that have a weight.
"""

from urllib.parse import urlsplit

from tests.actions.mlflow_double import Double, said


class Gateway(Double):
    def __init__(self, **weights):
        super().__init__()
        self.models = [mapping(name, weight) for name, weight in weights.items()]
        self.splits = True
        self.fallback = None
        self.stale = 0
        self.kept = None
        self.taken = 0

    def answer(self, request):
        path = urlsplit(request.url).path
        if path.endswith("/invocations"):
            return self._invoked()
        if path.endswith("/update"):
            return self._updated(request.json)
        return said(200, {"endpoint": self.told()})

    def told(self):
        strategy = {"routing_strategy": "REQUEST_BASED_TRAFFIC_SPLIT"} if self.splits else {}
        fallback = {"fallback_config": self.fallback} if self.fallback else {}
        return {"endpoint_id": "e-1", "name": "chat", "model_mappings": self.models, **strategy, **fallback}

    @property
    def weights(self):
        return {m["model_definition"]["name"]: m["weight"] for m in self.models if m["linkage_type"] == "PRIMARY"}

    @property
    def updates(self):
        return [request.json for request in self.requests if request.url.endswith("/update")]

    @property
    def probes(self):
        return [request for request in self.requests if request.url.endswith("/invocations")]

    def _updated(self, body):
        assert body["endpoint_id"] == "e-1"
        self.kept = self.models
        known = {m["model_definition_id"]: m["model_definition"] for m in self.models}
        self.models = [{**c, "model_definition": known[c["model_definition_id"]]} for c in body["model_configs"]]
        self.fallback = body.get("fallback_config")
        return self.on_write or said(200, {"endpoint": self.told()})

    def _invoked(self):
        models = self.models
        if self.stale and self.kept is not None:
            models, self.stale = self.kept, self.stale - 1
        able = [m for m in models if m["linkage_type"] == "PRIMARY" and m["weight"] > 0]
        if not able:
            return said(500, {"detail": "probabilities contain NaN"})
        self.taken += 1
        model = able[self.taken % len(able)]["model_definition"]["model_name"]
        return said(200, {"model": f"{model}-2026-11-01", "choices": []})


def mapping(name, weight, linkage="PRIMARY", model=None, **more):
    definition = {"model_definition_id": f"d-{name}", "name": name, "model_name": model or f"{name}-model"}
    return {
        "mapping_id": f"m-{name}",
        "model_definition_id": f"d-{name}",
        "model_definition": definition,
        "weight": weight,
        "linkage_type": linkage,
        **more,
    }
