"""The same story where it will run in production: on PostgreSQL and Apache Kafka."""

from pathlib import Path

import pytest

from tests.e2e.harness import Fireline, Gateway
from tests.e2e.test_recovery import check_end_state, recover
from tests.servers.kafka import ApacheKafka

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(1800)]


def test_traffic_recovers_on_postgresql_and_apache_kafka(
    tmp_path: Path, repository: Path, postgres_url: str, own_apache_kafka: ApacheKafka
):
    environment = {"FIRELINE_DATABASE": postgres_url, "FIRELINE_KAFKA": own_apache_kafka.bootstrap}
    with Fireline(tmp_path, repository, environment) as fireline, Gateway(fireline) as gateway:
        recover(fireline, gateway, None)
        check_end_state(fireline)
