"""`upgrade_self`: a new ocgate, signed like a release. It must start, and the old one stays beside it as ocgate.old."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import VERSION, locks, options, policy, receive, statement, trust, units
from . import state as states
from .call import Call, Result
from .errors import Refused
from .run import run

SIZE_MAX = 16 * 1024 * 1024


def upgrade_self(call: Call) -> Result:
    """Take, verify, try and put in place; the same program again is no work."""
    paths, text = call.paths, call.args["statement"]
    with locks.held(paths.run, "self", wait=2.0):
        states.admit(paths, call.fence)
        fields = statement.read(text, paths.trust, kind="self")
        trust.verify(text, call.args["signatures"], paths.trust, what="statement for a new ocgate")
        serial = _serial(fields.get("serial"))
        if fields.get("sha256") != call.args["sha256"]:
            raise Refused("bundle_hash", "The program is not the one that the statement names; nothing was changed.")
        if call.args["size"] > SIZE_MAX:
            raise Refused("program_bad", f"The program has {call.args['size']} bytes; at most {SIZE_MAX} are taken.")
        if receive.sha256_of(paths.program) == call.args["sha256"]:
            return {"version": VERSION, "sha256": call.args["sha256"], "already": True}
        _refuse_lower(call, serial, version=str(fields.get("version", "")))
        new = paths.incoming / f"ocgate-{call.args['sha256'][:16]}"
        paths.incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        receive.receive(call, new)
        version = _tried(new, str(fields.get("version", "")))
        _put(call, new, serial=serial)
        units.restart_keep()
    return {"version": version, "sha256": call.args["sha256"], "already": False}


def _serial(value: object) -> int:
    try:
        return policy.number(value, "serial", least=1)
    except ValueError as failure:
        raise Refused("statement_bad", f"The statement can't be used: {failure}.") from failure


def _refuse_lower(call: Call, serial: int, *, version: str) -> None:
    known = states.load(call.paths).self_serial
    # An ocgate that was installed knows no serial: an old statement must not bring an older one in its place.
    if not known and options.version_of(version) < options.version_of(VERSION):
        say = f"This gateway was installed with ocgate {VERSION} and was offered {version[:40]}; nothing was changed."
        raise Refused("downgrade", f"{say} Install the older one on the host.")
    if serial <= known:
        say = f"This gateway has had ocgate of serial {known} and was offered {serial}; nothing was changed."
        raise Refused("downgrade", say)


def _tried(new: Path, version: str) -> str:
    """The version that the new program says of itself, when it starts at all."""
    done = run([sys.executable, "-I", str(new), "--version"], timeout=20)
    said = done.out.split()
    if done.code != 0 or said != ["ocgate", version]:
        new.unlink()
        why = f"it says {' '.join(said)[:60]!r}" if done.code == 0 else done.last_line[:200]
        raise Refused("program_bad", f"The new ocgate {version} does not start here: {why}. The old one stays.")
    return version


def _put(call: Call, new: Path, *, serial: int) -> None:
    program = call.paths.program
    beside = program.with_name("ocgate.new")
    shutil.copyfile(new, beside)
    beside.chmod(0o755)
    shutil.copy2(program, program.with_name("ocgate.old"))
    os.sync()
    os.replace(beside, program)
    new.unlink()
    with states.changing(call.paths) as state:
        state.self_serial = serial
