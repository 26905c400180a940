"""The same upgrade without us: paramiko with threads, OpenSSH with a shell script, Ansible.

All three sign in as root on an sshd of their own on each gateway and use ocgate's own program there, with requests that
lie on the gateway already: less than anybody would have to write himself. What they don't do: ask for a second person,
record anything, go back by themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import paramiko

from lab.gateway import Gateway, Probe

ROOT = Path(__file__).resolve().parent.parent
PORT, FOLDER = 2222, "/root/bench"
WITHIN = 240  # seconds
STEPS = ("stage", "check", "start", "probe", "shift")
ANSIBLE = "ansible-core==2.19.14"


@dataclass(frozen=True)
class Goods:
    """A release for the bench: its folder, where its bundle is downloaded from, and the key that signs in as root."""

    folder: Path
    name: str
    url: str
    key: Path


def requests(goods: Goods, fence: int, probe: Probe) -> dict[str, str]:
    """The lines for `ocgate serve`: a login is tried, and slot 2 takes every new client at the end."""
    manifest = (goods.folder / "manifest.json").read_text()
    bundle = json.loads(manifest)["bundle"]
    stage = {
        "release": goods.name,
        "manifest": manifest,
        "sums": (goods.folder / "SHA256SUMS").read_text(),
        "changelog": (goods.folder / "CHANGELOG.md").read_text(),
        "signatures": [{"name": "SHA256SUMS.asc", "text": (goods.folder / "SHA256SUMS.asc").read_text()}],
        "size": bundle["size"],
        "sha256": bundle["sha256"],
        "source": {"kind": "url", "url": goods.url, "ticket": "bench", "rate": 10**10},
    }
    place = {"release": goods.name, "slot": 2}
    asked: dict[str, dict[str, object]] = {
        "stage": {"fence": fence, "args": stage},
        "stage-file": {"fence": fence, "args": {**stage, "source": {"kind": "ssh"}}},
        "check": {"args": place},
        "start": {"fence": fence, "args": place},
        "probe": {"args": {"slot": 2, "user": probe.user, "password": probe.password}},
        "shift": {"fence": fence, "args": {"weights": {"1": 0, "2": 100}, "seconds": 600}},
    }
    verbs = {name: {"v": 2, "id": name, "verb": name.partition("-")[0], **rest} for name, rest in asked.items()}
    return {name: json.dumps(line) + "\n" for name, line in verbs.items()}


def prepare(gateway: Gateway, goods: Goods, fence: int) -> None:
    """Lay the requests down, and start the sshd that lets root in."""
    lines = requests(goods, fence, gateway.probe)
    folder = gateway.machine.live / FOLDER.lstrip("/")
    folder.mkdir(exist_ok=True)
    files = {**lines, "all": "".join(lines[step] for step in STEPS)}
    files["authorized_keys"] = goods.key.with_suffix(".pub").read_text()
    for name, text in files.items():
        (folder / name).write_text(text)
    if not (folder / "sshd.pid").exists():
        gateway.run([*SSHD, *(word for one in OPTIONS for word in ("-o", one))])


SSHD = ("/usr/sbin/sshd", "-f", "/dev/null")
OPTIONS = (
    *("Port 2222", "PidFile /root/bench/sshd.pid", "PermitRootLogin yes", "PubkeyAuthentication yes", "UsePAM no"),
    *("HostKey /etc/ssh/ssh_host_ed25519_key", "AllowUsers root", "AuthorizedKeysFile /root/bench/authorized_keys"),
    "Subsystem sftp internal-sftp",
    # The lab's machines show the host's /root: what its owner keeps in ~/.bashrc would run at each command of theirs.
    f"SetEnv HOME={FOLDER}",
)
SERVE = f"/usr/lib/ocgate/ocgate serve < {FOLDER}/all"


def with_paramiko(gateways: list[Gateway], goods: Goods, _work: Path) -> None:
    """One thread and one connection a gateway."""
    key = paramiko.Ed25519Key.from_private_key_file(str(goods.key))

    def one(gateway: Gateway) -> None:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # nosec B507 # noqa: S507 - as such scripts do
        client.connect(gateway.address, PORT, "root", pkey=key, look_for_keys=False, allow_agent=False)
        try:
            _, answers, _ = client.exec_command(SERVE, timeout=WITHIN)  # nosec B601 - a constant
            good(gateway.name, answers.read().decode())
        finally:
            client.close()

    with ThreadPoolExecutor(len(gateways)) as pool:
        list(pool.map(one, gateways))


def with_openssh(gateways: list[Gateway], goods: Goods, work: Path) -> None:
    """A shell script that runs an ssh for each gateway beside the others."""
    ssh = f"ssh -p {PORT} -i {goods.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    script = "".join(f"{ssh} root@{one.address} '{SERVE}' > {work}/{one.name}.out &\n" for one in gateways)
    subprocess.run(["sh", "-c", f"{script}wait"], check=True, timeout=WITHIN)
    for gateway in gateways:
        good(gateway.name, (work / f"{gateway.name}.out").read_text())


def good(name: str, answers: str) -> None:
    """Every request was answered with yes."""
    told = [json.loads(line) for line in answers.splitlines()]
    yes = [line["id"] for line in told if line.get("ok") is True]
    if yes != list(STEPS):
        raise RuntimeError(f"{name} said yes to {yes}: {answers[-400:]}")


def with_ansible(gateways: list[Gateway], goods: Goods, work: Path) -> None:
    """A task a step, pipelining, a fork for each gateway, no facts gathered."""
    python = ansible_home() / "bin/ansible-playbook"
    key = f"ansible_ssh_private_key_file={goods.key} ansible_user=root ansible_port={PORT}"
    rows = [f"{one.name} ansible_host={one.address} {key}" for one in gateways]
    (work / "hosts").write_text("[all]\n" + "\n".join(rows) + "\n")
    (work / "play.json").write_text(json.dumps(playbook(goods)))
    env = {**os.environ, **ANSIBLE_ENV, "ANSIBLE_HOME": str(work), "ANSIBLE_FORKS": str(len(gateways))}
    done = subprocess.run(
        [str(python), "-i", "hosts", "play.json"], cwd=work, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Ansible: {done.stdout[-1500:]}{done.stderr[-500:]}")


ANSIBLE_ENV = {
    "ANSIBLE_PIPELINING": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_GATHERING": "explicit",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    "ANSIBLE_NOCOLOR": "1",
}


def playbook(goods: Goods) -> list[dict[str, object]]:
    """What somebody would write: download, verify and unpack, check, start and wait, shift."""
    file = f"{FOLDER}/bundle.tar.zst"
    serve = "/usr/lib/ocgate/ocgate serve"

    def ask(step: str, lines: str) -> dict[str, object]:
        yes = {"register": "said", "failed_when": "'\"ok\":true' not in said.stdout | replace(' ', '')"}
        return {"name": step, "ansible.builtin.shell": f"{lines} | {serve}", **yes}

    sha256 = json.loads((goods.folder / "manifest.json").read_text())["bundle"]["sha256"]
    get = {"url": goods.url, "dest": file, "checksum": f"sha256:{sha256}"}
    tasks = [
        {"name": "download", "ansible.builtin.get_url": get},
        ask("verify and unpack", f"cat {FOLDER}/stage-file {file}"),
        ask("check", f"cat {FOLDER}/check"),
        ask("start", f"cat {FOLDER}/start"),
        {"name": "wait", "ansible.builtin.wait_for": {"host": "198.18.0.2", "port": 4443, "timeout": 30}},
        ask("try a login", f"cat {FOLDER}/probe"),
        ask("shift", f"cat {FOLDER}/shift"),
    ]
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def ansible_home() -> Path:
    """A virtual environment of its own below .cache, made once."""
    home = ROOT / ".cache" / ANSIBLE.replace("==", "-")
    if not (home / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", ANSIBLE]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        (home / "made").touch()
    return home


WAYS = {"paramiko": with_paramiko, "openssh": with_openssh, "ansible": with_ansible}


def timed(way: str, gateways: list[Gateway], goods: Goods, work: Path) -> tuple[float, float]:
    """Seconds, and seconds of processor time of this side (our own process and its children)."""
    before, began = used(), time.monotonic()
    WAYS[way](gateways, goods, work)
    return time.monotonic() - began, used() - before


def used() -> float:
    """Processor seconds of this process and of its children that were waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
