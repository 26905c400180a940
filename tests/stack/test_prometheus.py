"""Debian's Prometheus, scraping recorded families of both exporters: their values come to the right gateways."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.models import Gateway, OutsideReading, PrometheusSource
from fleet.prometheus import client, past, poll
from fleet.prometheus.client import Server
from lab.commands import wait_until
from tests import factories
from tests.stack.conftest import free_port

pytestmark = pytest.mark.django_db
# As criteo/ocserv-exporter 1.1 and node_exporter 1.5 write them, with few series.
FAMILIES = """# TYPE vpn_active_sessions gauge
vpn_active_sessions 42
# TYPE vpn_handled_sessions gauge
vpn_handled_sessions 90
# TYPE vpn_total_authentication_failures gauge
vpn_total_authentication_failures 7
# TYPE vpn_closed_error_sessions gauge
vpn_closed_error_sessions 3
# TYPE vpn_ips_banned gauge
vpn_ips_banned 2
# TYPE vpn_average_auth_time_seconds gauge
vpn_average_auth_time_seconds 1.5
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 1000
node_cpu_seconds_total{cpu="0",mode="user"} 500
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 2.5e+08
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 1e+09
# TYPE node_filefd_allocated gauge
node_filefd_allocated 1024
# TYPE node_nf_conntrack_entries gauge
node_nf_conntrack_entries 131072
# TYPE node_nf_conntrack_entries_limit gauge
node_nf_conntrack_entries_limit 262144
"""
CONFIG = """global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: ocserv
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
    relabel_configs: [{{target_label: instance, replacement: "fra-gw-01:8000"}}]
"""


class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # noqa: N802 - the library's name
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(FAMILIES.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what matters."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus that has scraped the exporter at least twice, so that rates are known."""
    program = shutil.which("prometheus", path=os.environ.get("PATH", "") + ":/usr/bin")
    assert program, "Debian's package prometheus is not installed; script/test installs it."
    folder = tmp_path_factory.mktemp("prometheus")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as exporter:
        threading.Thread(target=exporter.serve_forever, daemon=True).start()
        (folder / "prometheus.yml").write_text(CONFIG.format(port=exporter.server_port))
        port = free_port()
        words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([program, *words], stdout=log, stderr=log)
        try:
            server = Server(f"http://127.0.0.1:{port}")
            wait_until(lambda: scraped(server, folder), seconds=90, what="Two scrapes by Prometheus")
            yield server
        finally:
            process.kill()
            process.wait(10)
            exporter.shutdown()


def scraped(server: Server, folder: Path) -> bool:
    try:
        answer = client.ask(server, "count_over_time(vpn_ips_banned[5m]) > 1")
    except Exception:
        return False
    return "fra-gw-01" in str(answer)


@pytest.fixture
def source(prometheus: Server) -> PrometheusSource:
    pool = factories.pool()
    for name, address in (("fra-gw-01", "192.0.2.1"), ("fra-gw-02", "192.0.2.2")):
        Gateway.objects.create(name=name, pool=pool, address=address)
    return PrometheusSource.objects.create(name="prom-eu", pool=pool, url=prometheus.url)


def test_both_exporters_are_read_without_a_query_of_ones_own(source: PrometheusSource) -> None:
    assert poll.poll(source) == 1
    source.refresh_from_db()
    assert (source.say, source.answered_at > 0) == ("", True)
    found = OutsideReading.objects.get()
    assert found.gateway.name == "fra-gw-01"
    assert (found.sessions, found.banned, found.auth_seconds, found.failures) == (42, 2, 1.5, 0)
    assert (found.errors, found.memory_percent, found.tracked_percent, found.cpu_percent) == (0, 75, 50, 100)
    assert (found.logins, found.open_files) == (0, 1024)
    # What an hour had is asked of Prometheus itself; of one long ago it has nothing.
    hour = int(time.time()) // 3600 * 3600
    told = past.counted(found.gateway, [hour, hour - 7 * 86_400])
    assert (told.looks, told.logins, told.failures) == (1, 0, 0)


def test_a_query_of_ones_own_replaces_ours_and_a_bad_one_costs_itself_alone(source: PrometheusSource) -> None:
    source.queries = {"sessions": 'vpn_active_sessions{instance=~"{gateway}"} * 2', "banned": "sum({gateway}"}
    poll.poll(source)
    found = OutsideReading.objects.get()
    assert (found.sessions, found.banned, found.auth_seconds) == (84, None, 1.5)
    source.refresh_from_db()
    assert source.say.startswith("For Addresses banned: it refused the query: ")
    assert source.answered_at
