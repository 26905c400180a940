"""`ocgate serve`: JSON lines on standard input, answers on standard output. The controller's only door."""

from __future__ import annotations

import json
import os
import sys
import syslog
import time
import traceback
from contextlib import suppress
from typing import Any, Callable, Dict, Optional

from . import config as configs
from . import known, mask, schema, state
from .call import Call, Result
from .errors import Answered, Refused
from .journal import note
from .paths import Paths
from .verbs import VERBS
from .wire import CutShort, LineTooLong, Reader, Writer

# sshd's forced command ignores what the client asked for; these are the words that ask for nothing else.
ASKED_FOR_US = frozenset({"", "serve", "ocgate", "ocgate serve"})


def serve(paths: Paths, *, source: int = 0, sink: int = 1) -> int:
    """Answer requests until the channel ends. Returns the exit code: 2 when the channel had to be closed."""
    reader, writer = Reader(source, line_max=schema.LINE_MAX), Writer(sink)
    log = Log(paths)
    asked = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if asked not in ASKED_FOR_US:
        _refuse(
            writer,
            log,
            f"a command was asked for ({asked[:200]!r}); only requests on standard input are answered",
        )
        return 2
    while True:
        try:
            line = reader.line()
        except (LineTooLong, CutShort) as broken:
            why = (
                f"the line is longer than {schema.LINE_MAX} bytes"
                if isinstance(broken, LineTooLong)
                else "the line was cut"
            )
            _refuse(writer, log, why)
            return 2
        if line is None:
            return 0
        if not _answer(line, paths, reader=reader, writer=writer, log=log):
            return 2


class Log:
    """/var/log/ocgate.log, and syslog, which is the journal where there is one. Never passwords."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        syslog.openlog("ocgate", syslog.LOG_PID, syslog.LOG_DAEMON)
        self._peer = os.environ.get("SSH_CONNECTION", "").split(" ")[0][:64]

    def write(self, entry: Dict[str, Any]) -> None:
        """Add time and peer, and append."""
        note(self._paths.log, {"at": round(time.time(), 3), "peer": self._peer, "pid": os.getpid(), **entry})
        syslog.syslog(syslog.LOG_INFO, json.dumps(entry)[:4000])


def _answer(line: bytes, paths: Paths, *, reader: Reader, writer: Writer, log: Log) -> bool:
    """Answer one line; False when the channel must be closed after it."""
    try:
        request = schema.parse(line)
    except Refused as refusal:
        log.write(
            {"refused": refusal.code, "say": refusal.say, "line": mask.text(line[:200].decode("utf-8", "replace"))}
        )
        writer.send({"id": None, "ok": False, "error": _error(refusal)})
        return True
    call: Optional[Call] = None
    began = time.monotonic()
    try:
        call = _call(request, paths, reader=reader, writer=writer)
        result = _run(VERBS[request.verb], call, request)
        answer: Dict[str, Any] = {"id": request.id, "ok": True, "result": result}
    except Answered as refusal:
        answer = {"id": request.id, "ok": False, "error": _masked(_error(refusal), request, paths)}
    except BrokenPipeError:
        return False
    except Exception as bug:  # the door must answer, whatever is wrong behind it
        print(_shown(traceback.format_exc(), request, paths), file=sys.stderr)
        say = f"ocgate failed in {request.verb}: {type(bug).__name__}: {str(bug)[:300]}."
        error = {"kind": "bug", "code": type(bug).__name__, "say": say}
        answer = {"id": request.id, "ok": False, "error": _masked(error, request, paths)}
    if request.fence is not None or not answer["ok"]:
        log.write(_entry(request, answer, ms=(time.monotonic() - began) * 1000))
    writer.send(answer)
    return call is None or not call.close_after


def _call(request: schema.Request, paths: Paths, *, reader: Reader, writer: Writer) -> Call:
    def send(line: Dict[str, Any]) -> None:
        writer.send({"id": request.id, **line})

    config = configs.load(paths.config)
    return Call(paths=paths, config=config, args=request.args, fence=request.fence or 0, send=send, raw=reader)


def _run(verb: Callable[[Call], Result], call: Call, request: schema.Request) -> Result:
    try:
        if request.fence is not None:
            state.admit(call.paths, request.fence, again=False)
    except OSError as failure:
        if not state.is_full(failure):
            raise
        say = f"No room is left below {call.paths.lib} to write a {request.verb} down. Nothing was changed."
        raise Refused("not_enough_disk", say) from failure
    return verb(call)


def _entry(request: schema.Request, answer: Dict[str, Any], *, ms: float) -> Dict[str, Any]:
    shown = {
        name: value
        for name, value in request.args.items()
        if name in ("release", "slot", "weights", "seconds", "after_ms", "to", "cut_at_most", "sha256")
    }
    entry: Dict[str, Any] = {
        "id": request.id,
        "verb": request.verb,
        "fence": request.fence,
        "args": shown,
        "ms": round(ms, 1),
    }
    if answer["ok"]:
        return {**entry, "ok": True}
    return {**entry, "ok": False, "error": answer["error"]}


def _error(refusal: Answered) -> Dict[str, str]:
    return {"kind": refusal.kind, "code": refusal.code, "say": refusal.say}


def _masked(error: Dict[str, str], request: schema.Request, paths: Paths) -> Dict[str, str]:
    return {**error, "say": _shown(error["say"], request, paths)}


def _shown(text: str, request: schema.Request, paths: Paths) -> str:
    """What ocserv, openssl or a bug said may quote the operator's configuration, or the password of a probe."""
    values = {str(request.args["password"])} if "password" in request.args else set()
    with suppress(Answered):  # no config.json: nothing of the operator's was read
        values |= known.secrets(configs.load(paths.config), paths)
    return mask.text(text, values)


def _refuse(writer: Writer, log: Log, why: str) -> None:
    refusal = Refused("bad_request", f"The request was refused: {why}.")
    log.write({"refused": refusal.code, "say": refusal.say})
    writer.send({"id": None, "ok": False, "error": _error(refusal)})
