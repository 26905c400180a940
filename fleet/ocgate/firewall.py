"""The host's own firewall: does it flush our table, does it let the translated port in. Reads only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List

from .config import Config
from .run import run

FLUSHING = (Path("/etc/nftables.conf"), Path("/etc/sysconfig/nftables.conf"))
OURS = ("inet", "handover")


def habits(config: Config) -> Dict[str, bool]:
    """`flushes`: a firewall file empties the whole ruleset; `input_blocks`: the inner port is not let in."""
    done = run(["nft", "-j", "list", "ruleset"], timeout=3)
    listing = json.loads(done.out)["nftables"] if done.code == 0 else []
    return {"flushes": flushes(), "input_blocks": input_blocks(listing, port=config.inner_port)}


def flushes() -> bool:
    """True when the firewall's file starts by `flush ruleset`, which takes our table with it."""
    for path in FLUSHING:
        try:
            if re.search(r"(?m)^\s*flush\s+ruleset", path.read_text(errors="replace")):
                return True
        except OSError:
            continue
    return False


def input_blocks(listing: List[Dict[str, Any]], *, port: int) -> bool:
    """True when a foreign input chain drops by default and no rule of it names `port` or a set. Pure.

    A rule that can't be judged (jumps, sets, no port at all) counts as letting in: this only warns.
    """
    for item in listing:
        chain = item.get("chain", {})
        mine = (chain.get("family"), chain.get("table")) == OURS
        if chain.get("hook") != "input" or chain.get("policy") != "drop" or mine:
            continue
        rules = [r["rule"] for r in (i for i in listing if "rule" in i) if _in_chain(r["rule"], chain)]
        if not any(_may_allow(rule, port) for rule in rules):
            return True
    return False


def _in_chain(rule: Dict[str, Any], chain: Dict[str, Any]) -> bool:
    return all(
        rule.get(key) == chain.get(name) for key, name in (("family", "family"), ("table", "table"), ("chain", "name"))
    )


def _may_allow(rule: Dict[str, Any], port: int) -> bool:
    text = json.dumps(rule.get("expr", []))
    if '"jump"' in text or '"goto"' in text:
        return True
    if '"accept"' not in text or '"dport"' not in text:
        return False
    return '"@' in text or any(_covers(right, port) for right in _rights(rule.get("expr", [])))


def _rights(expr: List[Dict[str, Any]]) -> List[Any]:
    found: List[Any] = []
    for match in (part["match"] for part in expr if "match" in part):
        if "dport" in json.dumps(match.get("left", "")):
            right = match.get("right")
            found += right["set"] if isinstance(right, dict) and "set" in right else [right]
    return found


def _covers(right: Any, port: int) -> bool:
    if isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        return isinstance(low, int) and low <= port <= high
    return bool(right == port)
