"""What each command does: mostly one call, as the table says; some look first at what they are about."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from handover import show, waiting
from handover.client import Answer, Client
from handover.ground import AWAITING, ERROR, OK, USAGE, Ground, Stop
from handover.parts import Verb

DIGEST_LEAST = 12  # letters of it that must be given
ASKED = 202  # another person decides


class Run:
    """One command that runs: what it is, what was said, whom to ask."""

    def __init__(self, verb: Verb, said: Namespace, client: Client, ground: Ground) -> None:
        self.verb, self.said, self.client, self.ground = verb, said, client, ground

    @property
    def path(self) -> str:
        return self.verb.path.replace("{id}", str(getattr(self.said, "id", "")))

    def given(self, to: str) -> dict[str, Any]:
        """What was said of the arguments that go there; what was left out is not sent."""
        values = {arg.name: getattr(self.said, arg.name, None) for arg in self.verb.args if arg.to == to}
        return {name: value for name, value in values.items() if value not in (None, False)}

    def show(self, body: Any) -> None:
        show.answer(self.ground, body, self.verb.columns, as_json=self.said.json)

    def ended(self, rollout: Mapping[str, Any], code: int) -> int:
        """Show a rollout, after having waited where that was asked for."""
        if self.said.wait or self.said.until:
            until, seconds = self.said.until or "done", self.said.timeout or waiting.LONGEST
            rollout = waiting.wait(self.client, self.ground, rollout, until=until, seconds=seconds)
            code = waiting.code(rollout)
        self.show(rollout)
        return code


def plain(run: Run) -> int:
    """The call as it stands in the table."""
    if run.verb.method == "GET":
        answer = run.client.get(run.path, run.given("query"))
    else:
        answer = run.client.post(run.path, run.given("body"), query=run.given("query"))
    return shown(run, answer)


def shown(run: Run, answer: Answer) -> int:
    run.show(answer.body)
    if answer.status == ASKED and "requested_by" in answer.body:
        run.ground.tell(f"Another person decides: handover approval show {answer.body['id']}")
        return AWAITING
    return OK


def standing(run: Run) -> int:
    """A list of what stands, or of all."""
    query = {**run.given("query"), "standing": not run.said.all}
    return shown(run, run.client.get(run.path, query))


def status(run: Run) -> int:
    """One rollout; the exit code says how it stands."""
    rollout = run.client.get(run.path).body
    return run.ended(rollout, waiting.code(rollout))


def start(run: Run) -> int:
    """Draft and submit in one."""
    drafted = run.client.post("/rollouts", run.given("body"))
    path = f"/rollouts/{drafted.body['id']}/submit"
    asked = run.client.post(path, {}, seen=drafted.headers["etag"])
    return run.ended(asked.body, waiting.moved(asked.body))


def move(run: Run) -> int:
    """One action on a rollout, bound to the version that was seen: the one that was said, or the one that stands."""
    seen = run.client.get(f"/rollouts/{run.said.id}")
    body, tag = run.given("body"), seen.headers["etag"]
    if run.said.version is not None:
        tag = f'"{run.said.version}"'
    if any(arg.name == "gateway" for arg in run.verb.args):
        body["gateway"] = upgrade_of(seen.body, run.said.gateway)
    answer = run.client.post(run.path, body, seen=tag)
    return run.ended(answer.body, waiting.moved(answer.body))


def upgrade_of(rollout: Mapping[str, Any], named: str) -> int:
    """The number of the upgrade of this gateway in the rollout."""
    for row in rollout["upgrades"]:
        if named in (row["gateway"], str(row["id"])):
            return int(row["id"])
    raise Stop(ERROR, f"Rollout {rollout['id']} has no gateway {named}.")


def answer(run: Run) -> int:
    """A yes or a no to exactly what was seen: its digest is said, whole or in part, and must be the one that stands."""
    about = run.client.get(run.path.rpartition("/")[0]).body
    body = {**run.given("body"), "digest": whole_digest(about, run.verb.name, run.said.digest)}
    given = run.client.post(run.path, body)
    if run.verb.noun == "rollout":
        return run.ended(given.body, waiting.moved(given.body))
    return shown(run, given)


def whole_digest(about: Mapping[str, Any], action: str, said: str) -> str:
    """The digest that begins with what was said. Stop where what stands is another."""
    digest = str(about["digest"])
    for offer in about.get("offers", []):
        if offer["action"] == action.replace("-", "_"):
            digest = str(offer["digest"])
    if len(said) < DIGEST_LEAST:
        raise Stop(USAGE, f"Give at least {DIGEST_LEAST} letters of the digest of what you decide.")
    if not digest or not digest.startswith(said.lower()):
        stands = digest[:DIGEST_LEAST] or "none"
        raise Stop(ERROR, f"What you saw is not what stands: its digest begins with {stands}. Look at it again.")
    return digest


def upload(run: Run) -> int:
    """All files of a release; a folder is all that lies in it."""
    files: list[Path] = []
    for name in run.said.file:
        path = Path(name)
        if not path.exists():
            raise Stop(USAGE, f"There is no file {name}.")
        files += sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    return shown(run, run.client.upload(run.path, files))


def enrol(run: Run) -> int:
    """With the host keys that were compared."""
    keys = [key.split(None, 1) for key in run.said.key]
    if any(len(key) != 2 for key in keys):
        raise Stop(USAGE, "A key is “TYPE BASE64”, as `handover gateway scan --json` shows it.")
    return shown(run, run.client.post(run.path, {**run.given("body"), "keys": keys}))


def window(run: Run) -> int:
    """With the times as “mon,tue 22:00-04:00”."""
    rules = []
    for rule in run.said.rule:
        days, _, times = rule.strip().partition(" ")
        begins, dash, ends = times.partition("-")
        if not dash:
            raise Stop(USAGE, f"“{rule}” is no rule; one is “mon,tue 22:00-04:00”.")
        rules.append({"days": days.split(","), "from": begins.strip(), "until": ends.strip()})
    return shown(run, run.client.post(run.path, {**run.given("body"), "rules": rules}))


def export(run: Run) -> int:
    """Into a file, or to standard output."""
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(Path(run.said.output).open("wb")) if run.said.output else run.ground.out.buffer
        count = run.client.download(run.path, out)
    run.ground.tell(f"{count:,} bytes. Verify them with: python -m approvals.verify FILE")
    return OK


def verify(run: Run) -> int:
    """1 where the record is not whole."""
    found = run.client.post(run.path, {}).body
    run.show(found)
    return OK if found["good"] else ERROR


def strategy(run: Run) -> int:
    """With the text of a file."""
    try:
        text = Path(run.said.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise Stop(USAGE, f"{run.said.file} can't be read: {wrong}") from None
    return shown(run, run.client.post(run.path, {**run.given("body"), "text": text}))


DOES: dict[str, Callable[[Run], int]] = {
    "": plain,
    **{
        one.__name__: one
        for one in (standing, status, start, move, answer, upload, enrol, window, export, verify, strategy)
    },
}
