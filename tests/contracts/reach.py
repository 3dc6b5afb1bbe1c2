"""What actions reach beside HTTP, for their contract: it counts what is done, and may hang."""

import asyncio
import json
from dataclasses import dataclass, field

from fireline.actions import Ports
from fireline.domain.outcomes import Done
from fireline.domain.targets import Command, Database, Prometheus, Targets
from fireline.engine.outgoing import Ended, Response, Rows
from tests.actions.gateway_double import Gateway
from tests.actions.mlflow_double import Registry
from tests.servers.flags import Flags
from tests.servers.kubernetes import Deployments, double, template

TARGETS = Targets(
    topics=frozenset({"ml.retrain"}),
    commands={"restart-scorer": Command(("/usr/bin/systemctl", "restart", "{unit}"), {"unit": "[a-z-]+"})},
    databases={"orders": Database("sqlite:///orders.db")},
    prometheus={"main": Prometheus("https://prometheus.example", "PROMETHEUS")},
)


@dataclass
class Reach:
    """All ports at once; `done` is what had an effect, in order. With `hangs` nothing is ever answered."""

    hangs: bool = False
    done: list[object] = field(default_factory=list)
    registry: Registry = field(default_factory=lambda: Registry(9, champion="5"))
    gateway: Gateway = field(default_factory=lambda: Gateway(stable=0.5, candidate=0.5))
    flags: Flags = field(default_factory=lambda: Flags({"new-ranker": True}))
    deployments: Deployments = field(default_factory=Deployments)

    async def _wait(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()

    async def fetch(self, request):
        await self._wait()
        if request.method != "GET":
            self.done.append(request.headers.get("Idempotency-Key"))
        if "mlflow.example" in request.url and "/gateway/" in request.url:
            return await self.gateway(request)
        if "mlflow.example" in request.url:
            return await self.registry(request)
        if "flags.example" in request.url:
            return self.flags.fetched(request)
        if "/api/v1/query" in request.url:
            vector = [{"metric": {"service": "a"}, "value": [0, "0.25"]}]
            text = json.dumps({"status": "success", "data": {"resultType": "vector", "result": vector}})
            return Response(200, {}, text)
        return Response(200, {}, '{"ok": true}')

    async def publish(self, topic, key, value, headers=None):
        await self._wait()
        self.done.append((topic, key))
        return Done({"topic": topic, "partition": 0, "offset": len(self.done)})

    async def execute(self, execution):
        await self._wait()
        self.done.append(execution.argv)
        return Ended(0, "restarted", "", False, 0.1)

    async def queries(self, query):
        await self._wait()
        return Rows([{"n": 1}], False)

    def cluster(self):
        if not self.deployments.deployments:
            self.deployments.create(first=template("scorer:1"))
            self.deployments.deploy(template("scorer:2"))
        return double(self.deployments, self._wait, self.done)

    def ports(self, w, fetch=None, store=None) -> Ports:
        return Ports(
            store or w.store,
            w.settings,
            w.clock,
            w.responder,
            fetch or self.fetch,
            publisher=self,
            execute=self.execute,
            queries=self.queries,
            targets=TARGETS,
            cluster=self.cluster(),
        )
