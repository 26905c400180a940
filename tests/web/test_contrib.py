"""What contrib/ has for Prometheus and Grafana asks for nothing that /metrics does not say, by its names and labels."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from fleet.metrics.store import insert
from fleet.models import Errand, Reading, Watch
from tests.browser.site import ROOT
from tests.scenes import scene
from tests.sights import SIGHTS
from tests.sights_measured import row
from upgrader.slots_exposed import COUNTERS

CONTRIB = ROOT / "contrib"
NAME = re.compile(r"\bhandover_[a-z0-9_]+")
SELECTED = re.compile(r"(handover_[a-z0-9_]+)\{([^}]*)\}")
GROUPED = re.compile(r"by \(([a-z, ]+)\) \(")
DASHBOARDS = ("handover", "ocserv")


def expressions(path: Path) -> Iterator[str]:
    """Every PromQL text of a dashboard or of a file of rules."""
    if path.suffix == ".json":
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            yield from (target["expr"] for target in panel["targets"])
        yield from (one["definition"] for one in dashboard["templating"]["list"] if "definition" in one)
    else:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from (rule["expr"] for rule in group["rules"])


FILES = [*CONTRIB.glob("grafana/*.json"), *CONTRIB.glob("prometheus/*.rules.yml")]


@pytest.fixture
def exposed(settings: Any) -> dict[str, set[str]]:
    """Name of each sample → its labels, of an installation in which there is one of everything."""
    settings.METRICS_TOKEN = "let-me-read-0123456789"
    gateway = scene("observing").upgrades(1)[0].gateway
    SIGHTS["alert"]()
    Errand.objects.update(state=Errand.State.DUE)
    now = time.time()
    counts = dict.fromkeys((*COUNTERS, "auth_failures", "session_errors"), 3)
    Watch.objects.create(
        gateway=gateway, asked_at=now, answered_at=now, slots={"1": {"at": now, "release": "1.1.6-2", **counts}}
    )
    sizes = {"sessions": 4, "dtls": 2, "rss_bytes": 1e8, "open_files": 30, "threads": 4, "rtt_ms": 40.0}
    insert(Reading, [row(gateway, int(now), slot=1, release="1.1.6-2", handshake_ms=20.0, **sizes)], skip=True)
    page = Client(headers={"Authorization": "Bearer let-me-read-0123456789"}).get("/metrics").content.decode()
    families = list(text_string_to_metric_families(page))
    found: dict[str, set[str]] = {family.name: set() for family in families}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked_for(text: str) -> set[str]:
    """The metrics that a PromQL text names: what is no function, label, number or word of the language."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", text)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    names = re.findall(r"(?<![\w.$:])[a-zA-Z_:][\w:]*(?!\s*\()\b(?!\s*\()", bare)
    return set(names) - {"and", "or", "unless", "bool", "offset"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_name_and_label_is_exposed(exposed: dict[str, set[str]], path: Path) -> None:
    asked = list(expressions(path))
    assert asked
    exposed = exposed | {"handover_heard_timestamp_seconds": {"part"}}  # of the broker, which is not here
    for text in asked:
        names = set(NAME.findall(text))
        assert names <= set(exposed), text
        if not text.startswith("label_values("):
            assert asked_for(text) <= names | {"up"}, text
        for name, selectors in SELECTED.findall(text):
            assert set(re.findall(r"([a-z]+)=", selectors)) <= exposed[name], text
        for labels in GROUPED.findall(text):
            assert any(set(labels.split(", ")) <= exposed[name] for name in names), text


def test_all_that_the_slots_say_is_on_the_dashboard(exposed: dict[str, set[str]]) -> None:
    shown = " ".join(expressions(CONTRIB / "grafana" / "ocserv.json"))
    said = {name for name, labels in exposed.items() if name.startswith("handover_slot_") and labels}
    assert said == set(NAME.findall(shown))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_can_be_imported(name: str) -> None:
    dashboard = json.loads((CONTRIB / "grafana" / f"{name}.json").read_text())
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}


def test_every_alert_says_what_to_do() -> None:
    for group in yaml.safe_load((CONTRIB / "prometheus" / "handover.rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert rule["annotations"]["summary"].endswith(".")
            assert rule["annotations"]["description"].endswith(".")


def test_a_slot_that_fell_silent_says_nothing(exposed: dict[str, set[str]]) -> None:
    now = time.time()
    watch = Watch.objects.get()
    Watch.objects.update(answered_at=now, slots={**watch.slots, "2": {**watch.slots["1"], "at": now - 20}})
    page = Client(headers={"Authorization": "Bearer let-me-read-0123456789"}).get("/metrics").content.decode()
    assert 'handover_slot_logins_total{gateway="' not in page
