"""`ocgate install`: make a machine a gateway. Everything it adds, `uninstall` takes away."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from . import ability, adopt, authorize, config, counter, policy, slots, stage, start, steer, units
from . import state as states
from .call import Call
from .config import Config
from .errors import Refused
from .paths import SYSTEM, Paths
from .run import run
from .shapes import RELEASE

PROGRAM = SYSTEM.program
SUDOERS = Path("/etc/sudoers.d/ocgate")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


PACKAGES = {
    "sudo": "sudo",
    "nft": "nftables",
    "gpgv": "gpgv",
    "ssh-keygen": "openssh-client",
    "zstd": "zstd",
    "curl": "curl",
    "tar": "tar",
    "openssl": "openssl",
}
"""Program → Debian's package. openssl is asked about certificates of a company's CA."""


@dataclass(frozen=True)
class Wish:
    """What the person asked for on the command line."""

    user: str
    key: str
    config: Path
    trust: Path
    adopt: bool
    first: Optional[Path]
    in_place: bool = False


def install(paths: Paths, wish: Wish, *, program: Path) -> int:
    """Do it all, or refuse before anything was changed."""
    _refuse_bad(wish)
    wanted = config.load(wish.config)
    wanted = replace(wanted, steers=wanted.steers and not wish.in_place)
    refuse_missing(with_cas=bool(policy.read(wish.trust).cas), steers=wanted.steers)
    _refuse_unable(wanted)
    _files(paths, wish, program=program)
    _account(paths, wish)
    units.write(PROGRAM)
    _agree(paths, wanted)
    if wanted.steers:
        slots.ensure_addresses(wanted)
    if wish.adopt:
        adopt.adopt(wanted, paths)
    elif wish.first is not None:
        _first(wanted, paths, wish.first)
    units.enable_keep(PROGRAM)
    print(f"This machine is a gateway now. The controller signs in as {wish.user}.")
    if not wanted.steers:
        print("It can't steer: a release is put in the place of the one that serves, which cuts who is connected.")
    return 0


def _refuse_unable(wanted: Config) -> None:
    """Better now than at the first shift; a person decides to do without."""
    if why := (ability.broken() if wanted.steers else ""):
        say = f"This machine can't steer: {why}. Nothing was changed. Put that right, or say --in-place"
        raise Refused("no_steering", f"{say}: then each upgrade cuts who is connected.")


def refuse_missing(*, with_cas: bool, steers: bool = True) -> None:
    """Refused when a program is missing that some verb will ask: better now than in the middle of an upgrade."""
    spared = {*(() if with_cas else ("openssl",)), *(() if steers else ("nft",))}
    missing = [name for name in PACKAGES if not shutil.which(name) and name not in spared]
    if missing:
        names = " and ".join([", ".join(missing[:-1]), missing[-1]] if missing[1:] else missing)
        packages = " ".join(PACKAGES[name] for name in missing)
        raise Refused("not_ready", f"{names} must be installed first (apt-get install {packages}).")


def _refuse_bad(wish: Wish) -> None:
    if USER.fullmatch(wish.user) is None:
        raise Refused("bad_request", f"{wish.user!r} is no name for a system user.")
    _line(wish)


def _files(paths: Paths, wish: Wish, *, program: Path) -> None:
    for folder, mode in (
        (paths.etc, 0o755),
        (paths.trust, 0o755),
        (paths.lib, 0o755),
        (paths.releases, 0o755),
        (paths.incoming, 0o700),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    _copy(wish.config, paths.config)
    if wish.in_place:
        raw = {**json.loads(wish.config.read_text()), "steers": False}
        states.write_whole(paths.config, json.dumps(raw, indent=2) + "\n", mode=0o644)
    for source in wish.trust.iterdir():
        if source.name in ("policy.json", "openpgp.gpg") or policy.CA_FILE.fullmatch(source.name):
            _copy(source, paths.trust / source.name)
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    if program.resolve() != PROGRAM:
        shutil.copyfile(program, PROGRAM.with_name("ocgate.new"))
        PROGRAM.with_name("ocgate.new").chmod(0o755)
        os.replace(PROGRAM.with_name("ocgate.new"), PROGRAM)


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)
    target.chmod(0o644)


def _account(paths: Paths, wish: Wish) -> None:
    """A user of its own that may run one command; the key file is root's, so that it can't give itself more."""
    home = paths.lib / "home"
    if run(["id", wish.user], timeout=5).code != 0:
        add = [
            "useradd",
            "--system",
            "--shell",
            "/bin/sh",
            "--home-dir",
            str(home),
            "--no-create-home",
            wish.user,
        ]
        done = run(add, timeout=20)
        if done.code != 0:
            raise Refused("not_ready", f"The user {wish.user} can't be made: {done.last_line[:200]}.")
        # "!" would be a locked account, which sshd turns away even with a key.
        run(["usermod", "--password", "*", wish.user], timeout=20)
        states.write_whole(paths.lib / "user", wish.user + "\n", mode=0o644)
    keys = authorize.file(paths)
    keys.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    states.write_whole(keys, _line(wish), mode=0o644)
    states.write_whole(SUDOERS, sudoers(wish.user), mode=0o440)
    checked = run(["visudo", "-cf", str(SUDOERS)], timeout=10)
    if checked.code != 0:
        SUDOERS.unlink()
        raise Refused("not_ready", f"sudo refuses our rule: {checked.last_line[:200]}.")


def _line(wish: Wish) -> str:
    """The controller's lines of authorized_keys: its key, and its CA's where it has one."""
    name = policy.read(wish.trust).gateway
    keys = [key for key in wish.key.splitlines() if key.strip()] or [""]
    return "".join(authorize.line(key.strip(), program=PROGRAM, gateway=name) for key in keys)


def sudoers(user: str) -> str:
    """The one rule. Pure. sudo 1.9.14 and later put a terminal between, which would change a bundle's bytes."""
    keep = "SSH_ORIGINAL_COMMAND SSH_CONNECTION"
    return f'Defaults:{user} env_reset, !use_pty, env_keep += "{keep}"\n{user} ALL=(root) NOPASSWD: {PROGRAM} serve\n'


def _agree(paths: Paths, wanted: Config) -> None:
    """The operator's ocserv.conf as it stands is the agreed one."""
    if not wanted.ocserv_conf.is_file():
        raise Refused(
            "check_failed", f"{wanted.ocserv_conf} does not exist; a slot's configuration is derived from it."
        )
    data = wanted.ocserv_conf.read_bytes()
    states.write_whole(paths.agreed_conf, data.decode("utf-8", "strict"), mode=0o600)
    with states.changing(paths) as state:
        state.agreed_sha256 = hashlib.sha256(data).hexdigest()


def _first(wanted: Config, paths: Paths, folder: Path) -> None:
    """A new gateway without users: the release goes into slot 1 and is committed."""
    release = _placed(wanted, paths, folder.resolve())
    start.launch(wanted, paths, release=release, number=1)
    if wanted.steers:
        steer.settle(wanted, paths, to=states.Place(1, release), present=False)
    else:
        steer.remember(wanted, paths, to=states.Place(1, release))
    counter.remember(paths, release)


def _placed(wanted: Config, paths: Paths, folder: Path) -> str:
    """Put a signed bundle, verified, or a folder that root has unpacked himself, among the releases; its name."""
    if (folder / stage.BUNDLE).exists():
        call = Call(paths=paths, config=wanted, args=stage.from_folder(folder), fence=0, send=lambda _line: None)
        stage.stage(call)
        return str(call.args["release"])
    if RELEASE.fullmatch(folder.name) is None or not (folder / "sbin" / "ocserv").is_file():
        raise Refused("unknown_release", f"{folder} is neither a signed release nor an unpacked one.")
    target = paths.release(folder.name)
    if not target.exists():
        shutil.copytree(folder, target, symlinks=True)
    return folder.name
