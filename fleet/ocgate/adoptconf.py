"""`adopt_conf`: the operator's file as it is on the host becomes the agreed one. Its text never leaves the gateway."""

from __future__ import annotations

from dataclasses import replace

from . import configure, confs
from .call import Call, Result
from .errors import Refused


def adopt_conf(call: Call) -> Result:
    """Agree to the file on the host, if it is the very one that people looked at; judged like one that is brought."""
    sha256: str = call.args["sha256"]
    path = call.config.ocserv_conf
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as failure:
        raise Refused("conf_bad", f"{path} can't be read: {failure}.") from failure
    if confs.sha256_of(text) != sha256:
        raise Refused("conf_differs", f"{path} is another one by now; look at the difference again.")
    kept = configure.configure(replace(call, args={**call.args, "conf": text}))
    agreed = configure.agree(replace(call, args={"conf": sha256}))
    return {"agreed_sha256": sha256, "changed": kept["changed"], "already": agreed["already"]}
