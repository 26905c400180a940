"""What Prometheus is asked, and what it answers. Pure.

The queries are written for criteo/ocserv-exporter (vpn_…) and node_exporter (node_…); a source may have others in their
place. `{gateway}` is a regular expression of all gateways that are asked about, for use in a label matcher with =~.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One column of an OutsideReading. `query` has {label} and {gateway}; a value is what one gateway has now."""

    title: str
    unit: str
    query: str
    form: str = "{:,.1f}"

    def said(self, value: float | None) -> str:
        return "–" if value is None else f"{self.form.format(value)} {self.unit}".strip()


AT = '{label}=~"{gateway}"'
METRICS: Mapping[str, Metric] = {
    "sessions": Metric("Users on it", "users", "sum by ({label}) (vpn_active_sessions{" + AT + "})", "{:,.0f}"),
    "logins": Metric(
        "Sessions that begin", "a minute", "60 * sum by ({label}) (rate(vpn_handled_sessions{" + AT + "}[5m]))"
    ),
    "failures": Metric(
        "Sign-ins that fail",
        "a minute",
        "60 * sum by ({label}) (rate(vpn_total_authentication_failures{" + AT + "}[5m]))",
    ),
    "errors": Metric(
        "Sessions that end in an error",
        "a minute",
        "60 * sum by ({label}) (rate(vpn_closed_error_sessions{" + AT + "}[5m]))",
        "{:,.2f}",
    ),
    "banned": Metric("Addresses banned", "", "sum by ({label}) (vpn_ips_banned{" + AT + "})", "{:,.0f}"),
    "auth_seconds": Metric("A sign-in, mean", "s", "max by ({label}) (vpn_average_auth_time_seconds{" + AT + "})"),
    "cpu_percent": Metric(
        "CPU of the machine",
        "%",
        '100 - 100 * avg by ({label}) (rate(node_cpu_seconds_total{mode="idle", ' + AT + "}[2m]))",
    ),
    "memory_percent": Metric(
        "Memory of the machine",
        "%",
        "100 - 100 * max by ({label}) (node_memory_MemAvailable_bytes{" + AT + "})"
        " / max by ({label}) (node_memory_MemTotal_bytes{" + AT + "})",
    ),
    "tracked_percent": Metric(
        "Connections tracked",
        "% of the limit",
        "100 * max by ({label}) (node_nf_conntrack_entries{" + AT + "})"
        " / max by ({label}) (node_nf_conntrack_entries_limit{" + AT + "})",
    ),
    "retransmitted_percent": Metric(
        "Segments sent again",
        "%",
        "100 * sum by ({label}) (rate(node_netstat_Tcp_RetransSegs{" + AT + "}[5m]))"
        " / sum by ({label}) (rate(node_netstat_Tcp_OutSegs{" + AT + "}[5m]))",
        "{:,.2f}",
    ),
    "open_files": Metric(
        "Open files of the machine", "", "max by ({label}) (node_filefd_allocated{" + AT + "})", "{:,.0f}"
    ),
}
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,60}")
QUERY_MOST = 2000  # characters that a person may write
PORT = re.compile(r":\d{1,5}$")


class BadAnswer(Exception):
    """What came is no answer of Prometheus; the text says what it is."""


def query(text: str, *, label: str, names: Sequence[str]) -> str:
    """Put the label's name and the gateways into a query. A name may have a port behind it in Prometheus.

    RE2 reads a backslash before any sign that is no letter or digit as that sign; in a PromQL string it stands twice.
    """
    some = "|".join(re.sub(r"([^A-Za-z0-9])", r"\\\\\1", name) for name in names)
    return text.replace("{label}", label).replace("{gateway}", f"(?:{some})(?::[0-9]+)?")


def read(answer: object, *, label: str) -> dict[str, float]:
    """An instant vector as label → value; a value that is no number is left out. Raise BadAnswer.

    https://prometheus.io/docs/prometheus/latest/querying/api/: {"status":"success","data":{"resultType":"vector",
    "result":[{"metric":{…},"value":[time, "text"]}]}}
    """
    if not isinstance(answer, Mapping) or answer.get("status") != "success":
        why = answer.get("error") if isinstance(answer, Mapping) else ""
        raise BadAnswer(f"it refused the query: {str(why)[:200]}" if why else "it sent no answer of Prometheus")
    data = answer.get("data")
    rows = data.get("result") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or data.get("resultType") != "vector" or not isinstance(rows, list):
        raise BadAnswer("the query gives no vector, one value for each gateway")
    found: dict[str, float] = {}
    for row in rows:
        name, value = _pair(row, label)
        if name and value is not None:
            found[name] = value
    return found


def of_gateways(found: Mapping[str, float], names: Mapping[str, int]) -> dict[int, float]:
    """Gateway → value; `names`: each name that a gateway may have in Prometheus → its number."""
    told: dict[int, float] = {}
    for name, value in found.items():
        number = names.get(name, names.get(PORT.sub("", name).strip("[]")))
        if number is not None:
            told[number] = value
    return told


def _pair(row: Any, label: str) -> tuple[str, float | None]:
    try:
        value = float(row["value"][1])
        return str(row["metric"].get(label, "")), value if math.isfinite(value) else None
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        return "", None
