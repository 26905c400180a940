"""`check`: would this release run in this slot? Reads and asks only; nothing on the gateway changes.

`ocserv -t` is shallow (reference 4.1: unknown options, wrong numbers and missing files pass), so it is one of several.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import List

from . import confcheck, confs, counter, derive, firewall, hostcheck, known, mask, options, silent, slots, start
from . import state as states
from .call import Call, Result
from .errors import Refused
from .findings import Finding
from .run import run

FREE_MIN = 64 * 1024 * 1024


def check(call: Call) -> Result:
    """All findings; `ok` while none of them is an error."""
    release, number = call.args["release"], call.args["slot"]
    call.config.slot(number)
    folder = call.paths.release(release)
    if not (folder / "sbin" / "ocserv").is_file():
        raise Refused("unknown_release", f"Release {release} is not on this gateway; stage it first.")
    found = [*_lower(call, release), *_programs(folder), *_configuration(call, folder, number)]
    found += _host(call, release, number)
    secrets = known.secrets(call.config, call.paths)  # ocserv -t may quote a line
    shown = [{"level": f.level, "code": f.code, "say": mask.text(f.say, secrets)} for f in found]
    return {"ok": not any(f.level == "error" for f in found), "findings": shown}


def _lower(call: Call, release: str) -> List[Finding]:
    """`start` would refuse a downgrade that nobody approved; better to know before."""
    try:
        counter.refuse_lower_here(call.paths, release)
    except Refused as refusal:
        return [Finding("error", refusal.code, refusal.say)]
    return []


def _programs(folder: Path) -> List[Finding]:
    """Missing libraries show when a program is asked for its version."""
    found = []
    for program in ("sbin/ocserv", "bin/occtl"):
        done = run([str(folder / program), "--version"], timeout=5)
        if done.code != 0 or "loading shared libraries" in done.err:
            found.append(Finding("error", "does_not_run", f"{program} does not run here: {done.last_line[:300]}."))
    wanted = str(slots.manifest(folder).get("version", ""))
    said = run([str(folder / "sbin/ocserv"), "--version"], timeout=5)
    if wanted and not re.search(rf"(?<![\d.]){re.escape(wanted)}(?![\d.])", said.out + said.err):
        first = (said.out + said.err).strip().splitlines()[:1]
        found.append(Finding("error", "version_differs", f"The manifest says {wanted}, the program says {first}."))
    return found


def _configuration(call: Call, folder: Path, number: int) -> List[Finding]:
    try:
        start.refuse_changed_conf(call.config, call.paths, over=call.args.get("over", ""))
        source = confs.usable(call.config, call.paths, call.args.get("conf", ""))
        text = derive.derive(source, start.place_of(call.config, call.paths, number))
    except Refused as refusal:
        return [Finding("error", refusal.code, refusal.say)]
    with tempfile.TemporaryDirectory(prefix="ocgate-check-") as scratch:
        path = Path(scratch, "ocserv.conf")
        path.write_text(text)
        done = run([str(folder / "sbin/ocserv"), "-t", "-c", str(path)], timeout=15)
    version = str(slots.manifest(folder).get("version", ""))
    said = parse_test(done.code, done.err + done.out, version=version)
    return [*said, *confcheck.findings(text, version), *_changes(call, source, version)]


def _changes(call: Call, source: str, version: str) -> List[Finding]:
    """What the committed release and this one read differently, and what differs from the agreed configuration."""
    state = states.load(call.paths)
    serves = slots.version_of(state.committed.release, state, call.paths) if state.committed else ""
    found = [finding for finding in silent.silent_changes(source, serves, version) if finding.level != "error"]
    places = options.changed(confs.agreed(call.config, call.paths), source)
    if restart := options.names([place for place in places if options.needs_restart(place)]):
        say = f"A reload would not notice {', '.join(restart[:12])}; a slot that is started anew does."
        found.append(Finding("note", "needs_restart", say))
    return found


def parse_test(code: int, said: str, *, version: str = "") -> List[Finding]:
    """Findings from what `ocserv -t` said; names that its version is known to skip are left to confcheck. Pure."""
    unknown = sorted(set(re.findall(r"skipping unknown option '([^']+)'", said)) & options.known(version))
    warnings = [line.strip() for line in said.splitlines() if line.strip().startswith("warning:")]
    found = [
        Finding("warning", "option_unknown", f"This release does not know the option {name}; it would be skipped.")
        for name in unknown
    ]
    found += [
        Finding("warning", "ocserv_warns", f"ocserv -t says: {line[len('warning:') :].strip()[:300]}.")
        for line in dict.fromkeys(warnings)
        if "skipping unknown option" not in line
    ]
    if code != 0:
        lines = [line.strip() for line in said.splitlines() if line.strip() and "skipping unknown" not in line]
        found.append(
            Finding(
                "error",
                "conf_refused",
                f"This release refuses the configuration: {' '.join(lines[-2:])[:400]}.",
            )
        )
    return found


def _host(call: Call, release: str, number: int) -> List[Finding]:
    state = states.load(call.paths)
    slot = slots.look(number, state, call.paths)
    found = []
    if slot.running and slot.release != release:
        found.append(Finding("error", "slot_busy", f"Slot {number} runs {slot.release}; retire it first."))
    if not slot.running and call.config.steers:
        found += hostcheck.port_taken(call.config, number)
    if shutil.disk_usage(call.paths.lib).free < FREE_MIN:
        found.append(
            Finding(
                "error",
                "not_enough_disk",
                f"Less than {FREE_MIN // 2**20} MiB are free below {call.paths.lib}.",
            )
        )
    return [*found, *(_firewall(call) if call.config.steers else []), *hostcheck.findings(call.config, number)]


def _firewall(call: Call) -> List[Finding]:
    found, habits = [], firewall.habits(call.config)
    if habits["input_blocks"]:
        say = f"The host's firewall does not let in TCP port {call.config.inner_port}, the port after the translation."
        found.append(Finding("error", "input_blocks", say))
    if habits["flushes"]:
        found.append(
            Finding(
                "warning",
                "firewall_flushes",
                "The host's nftables.conf flushes the ruleset; ocgate keep restores ours.",
            )
        )
    return found
