"""Prometheus itself reads what contrib/ has for it, and its alerts are raised by the numbers that they are about."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser.site import ROOT

CONTRIB = ROOT / "contrib" / "prometheus"
RULES = CONTRIB / "handover.rules.yml"
SLOT = '{gateway="fra-gw-01", slot="2", release="1.3.0-2"}'
# Alert → series that raise it, as promtool writes them ("start+growth×times" each 15 s), and when to look.
RAISED: dict[str, tuple[dict[str, str], str]] = {
    "HandoverDown": ({'up{job="handover", instance="a"}': "0x40"}, "5m"),
    "HandoverClockSilent": ({'handover_heard_timestamp_seconds{part="clock"}': "0x40"}, "5m"),
    "HandoverWorkerSilent": ({'handover_heard_timestamp_seconds{part="worker"}': "0x40"}, "5m"),
    "HandoverBrokerGone": ({'up{job="handover", instance="a"}': "1x40"}, "5m"),
    "HandoverStepsLate": ({"handover_steps_late_seconds": "0+15x40"}, "9m"),
    "HandoverRolloutNeedsAPerson": ({'handover_rollouts{state="held"}': "1x80"}, "18m"),
    "HandoverApprovalWaits": ({"handover_approval_wait_seconds": "4000x9", "handover_approvals_pending": "1x9"}, "2m"),
    "HandoverCollectorSilent": ({"handover_collector_last_timestamp_seconds": "1x80"}, "9m"),
    "GatewaysUnreachable": ({'handover_gateways{pool="eu-west", state="unreachable"}': "2x80"}, "9m"),
    "SignInsFail": (
        {f"handover_slot_failures_total{SLOT}": "0+1x80", f"handover_slot_logins_total{SLOT}": "0+2x80"},
        "18m",
    ),
    "OcservCrashes": ({f"handover_slot_crashes_total{SLOT}": "0x20 1x20"}, "7m"),
}


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, timeout=120)


def told(folder: Path, alert: str, series: dict[str, str], at: str) -> str:
    """What promtool says of a test in which `alert` must be silent: the alerts that are raised all the same."""
    test: dict[str, Any] = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": []}],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [test]}))
    done = promtool("test", "rules", str(path))
    return done.stdout + done.stderr


def test_promtool_reads_the_rules_and_the_configuration() -> None:
    rules = promtool("check", "rules", str(RULES))
    assert rules.returncode == 0, rules.stdout + rules.stderr
    assert f"{len(RAISED)} rules found" in rules.stdout
    config = promtool("check", "config", "--syntax-only", str(CONTRIB / "prometheus.yml"))
    assert config.returncode == 0, config.stdout + config.stderr


def test_prometheus_reads_what_each_panel_asks(tmp_path: Path) -> None:
    panels = [
        target["expr"]
        for path in (ROOT / "contrib" / "grafana").glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]
    # As Grafana asks it: with its variables filled in.
    asked = [{"record": f"panel:{n}", "expr": re.sub(r"\$\w+", "5m", text)} for n, text in enumerate(panels)]
    rules = tmp_path / "panels.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": str(n), "rules": [rule]} for n, rule in enumerate(asked)]}))
    done = promtool("check", "rules", str(rules))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout
    asked[0]["expr"] += ")"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "wrong", "rules": asked[:1]}]}))
    assert promtool("check", "rules", str(rules)).returncode != 0


@pytest.mark.parametrize("alert", RAISED)
def test_an_alert_is_raised(tmp_path: Path, alert: str) -> None:
    series, at = RAISED[alert]
    said = told(tmp_path, alert, series, at)
    assert "FAILED" in said, said
    assert f'alertname="{alert}"' in said.replace("\\", "")


def test_all_is_quiet_while_all_is_well(tmp_path: Path) -> None:
    well = {
        'up{job="handover", instance="a"}': "1x80",
        'handover_heard_timestamp_seconds{part="clock", instance="a"}': "0+15x80",
        'handover_heard_timestamp_seconds{part="worker", instance="a"}': "0+15x80",
        "handover_steps_late_seconds": "0x80",
        "handover_collector_last_timestamp_seconds": "0+15x80",
        f"handover_slot_failures_total{SLOT}": "0x10 1x70",
        f"handover_slot_logins_total{SLOT}": "0+3x80",
    }
    for alert in RAISED:
        said = told(tmp_path, alert, well, "15m")
        assert "SUCCESS" in said, said
