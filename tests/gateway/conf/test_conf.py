"""A changed configuration on a real gateway: brought, judged, started beside, reloaded, agreed, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import faults
from lab.commands import run, text, wait_until
from lab.gateway import parse_occtl
from tests.gateway.conf.conftest import FILE, Site, sha
from tests.gateway.ocgate.door import Door, serving, slots_of
from tests.gateway.ocgate.guests import sign_in


def dpd_of(site: Site, user: str) -> str:
    """What the user's session was told of dead peer detection, by the occtl of his slot."""
    slot = slots_of(site.gateway)[user]
    occtl = f"/var/lib/ocgate/releases/{site.first}/bin/occtl"
    said = site.gateway.run([occtl, "-j", "-n", "-s", f"/run/ocgate/{slot}/occtl.sock", "show", "users"])
    return next(str(row["DPD"]) for row in parse_occtl(said) if row["Username"] == user)


def test_a_configuration_travels_with_the_same_release_and_goes_back(site: Site) -> None:
    new, before = site.conf.replace("dpd = 90", "dpd = 77"), site.ids()
    assert site.bring(new) == {"sha256": sha(new), "already": False, "changed": ["dpd"], "way": "reload"}
    assert site.door.ask("check", release=site.first, slot=2, conf=sha(new))["ok"]
    site.door.ask("start", release=site.first, slot=2, conf=sha(new))
    site.door.ask("shift", weights={"2": 100}, seconds=60)
    guest = sign_in(site.lab, site.gateway, 210)
    assert (slots_of(site.gateway)["guest1"], dpd_of(site, "guest1")) == (2, "77")
    assert (site.file(), site.agreed()) == (site.conf, sha(site.conf))
    site.door.ask("commit", slot=2)
    assert (site.file(), site.agreed()) == (new, sha(new))
    assert site.ids() == before
    back = site.door.ask("restore", to="previous")
    assert (back["slot"], site.file(), site.agreed()) == (1, site.conf, sha(site.conf))
    assert site.ids() == before
    assert site.door.ask("restore", to="previous")["already"]
    guest.stop()


def test_a_retired_slot_comes_back_with_its_own_configuration(site: Site) -> None:
    new = site.conf.replace("keepalive = 32400", "keepalive = 3000")
    site.bring(new)
    site.door.ask("start", release=site.first, slot=3, conf=sha(new))
    site.door.ask("shift", weights={"3": 100}, seconds=60)
    site.door.ask("commit", slot=3)
    site.door.ask("retire", slot=1, cut_at_most=2)
    assert site.door.ask("restore", to="previous")["started"]
    assert site.file() == site.conf
    derived = site.gateway.run(["cat", "/var/lib/ocgate/slots/1/ocserv.conf"])
    assert "keepalive = 32400" in derived


def test_a_reload_keeps_the_sessions_and_applies(site: Site) -> None:
    new, before = site.conf.replace("dpd = 90", "dpd = 66"), site.ids()
    pid = site.door.ask("facts")["slots"][0]["pid"]
    site.bring(new)
    assert not site.door.ask("reload", slot=1, conf=sha(new))["already"]
    assert site.door.ask("reload", slot=1, conf=sha(new))["already"]
    guest = sign_in(site.lab, site.gateway, 211)
    assert dpd_of(site, "guest1") == "66"
    assert (site.ids(), site.door.ask("facts")["slots"][0]["pid"], site.file()) == (before, pid, site.conf)
    guest.stop()
    site.door.ask("commit", slot=1)
    assert site.file() == new
    assert not site.door.ask("restore", to="previous")["already"]
    assert (site.file(), site.ids()) == (site.conf, before)
    guest = sign_in(site.lab, site.gateway, 212)
    assert dpd_of(site, "guest1") == "90"
    guest.stop()


def test_an_uncommitted_reload_is_taken_back_by_restore(site: Site) -> None:
    new = site.conf.replace("dpd = 90", "dpd = 55")
    site.bring(new)
    site.door.ask("reload", slot=1, conf=sha(new))
    assert site.door.ask("facts")["slots"][0]["conf"] == sha(new)
    assert not site.door.ask("restore", to="committed")["already"]
    assert site.door.ask("facts")["slots"][0]["conf"] == sha(site.conf)


def conf_of(site: Site) -> str:
    """What slot 1 runs with, as `facts` says it."""
    return str(site.door.ask("facts")["slots"][0]["conf"])


def ended(site: Site) -> int:
    """How many trials of a reload have ended by themselves, as far as `facts` tells."""
    events = site.door.ask("facts")["keep"]["events"]
    return sum(event["code"] == "trial_reload_ended" for event in events)


def test_a_reload_that_nobody_commits_goes_back_by_itself(site: Site) -> None:
    new, before, told = site.conf.replace("dpd = 90", "dpd = 33"), site.ids(), ended(site)
    pid = site.door.ask("facts")["slots"][0]["pid"]
    site.bring(new)
    assert not site.door.ask("reload", slot=1, conf=sha(new), seconds=6)["already"]
    assert site.door.ask("reload", slot=1, conf=sha(new), seconds=6)["already"]
    assert site.door.ask("facts")["slots"][0]["conf_until"]
    wait_until(lambda: conf_of(site) == sha(site.conf), seconds=40, what="The old configuration")
    assert (site.ids(), site.door.ask("facts")["slots"][0]["pid"], site.file()) == (before, pid, site.conf)
    assert (ended(site), site.door.ask("facts")["slots"][0]["conf_until"]) == (told + 1, None)
    guest = sign_in(site.lab, site.gateway, 213)
    assert dpd_of(site, "guest1") == "90"
    guest.stop()


def test_a_slot_that_is_started_anew_begins_with_the_old_one(site: Site) -> None:
    new, told = site.conf.replace("dpd = 90", "dpd = 22"), ended(site)
    site.bring(new)
    site.door.ask("reload", slot=1, conf=sha(new), seconds=600)
    faults.stop_ocserv_of(site.gateway, 1)
    wait_until(lambda: conf_of(site) == sha(site.conf), seconds=40, what="The old configuration")
    assert ended(site) == told + 1
    assert "dpd = 90" in site.gateway.run(["cat", "/var/lib/ocgate/slots/1/ocserv.conf"])


def test_after_a_reboot_the_agreed_one_is_started(site: Site) -> None:
    new = site.conf.replace("dpd = 90", "dpd = 11")
    site.bring(new)
    site.door.ask("reload", slot=1, conf=sha(new), seconds=600)
    site.door.close()
    site.gateway.reboot()
    with Door(site.gateway) as door:
        wait_until(lambda: serving(door) == [1], seconds=60, what="The committed slot")
        assert door.ask("facts")["slots"][0]["conf"] == sha(site.conf)
    assert "dpd = 90" in site.gateway.run(["cat", "/var/lib/ocgate/slots/1/ocserv.conf"])


def test_what_a_reload_would_not_notice_is_not_reloaded(site: Site, approver: Approver) -> None:
    new = site.conf + "sec-mod-scale = 2\n"
    assert site.bring(new, **approver.word(new))["way"] == "restart"
    assert site.door.refused("reload", slot=1, conf=sha(new)) == "not_reloadable"


def test_off_the_list_needs_a_statement_by_a_pinned_key(site: Site, approver: Approver, tmp_path: Path) -> None:
    new = site.conf + "route = 192.0.2.0/255.255.255.0\n"
    assert site.door.refused("configure", conf=new, sha256=sha(new)) == "not_allowed"
    other = Approver(tmp_path / "other")
    assert site.door.refused("configure", conf=new, sha256=sha(new), **other.word(new)) == "signature_bad"
    mine = approver.word(site.conf + "# another\n")
    assert site.door.refused("configure", conf=new, sha256=sha(new), **mine) == "statement_bad"
    assert site.door.refused("start", release=site.first, slot=2, conf=sha(new)) == "unknown_conf"
    assert site.bring(new, **approver.word(new))["changed"] == ["route"]
    site.door.ask("agree", conf=sha(new))
    assert (site.file(), site.agreed()) == (new, sha(new))


def test_a_kept_one_is_judged_again_when_the_agreed_one_has_moved_on(site: Site, approver: Approver) -> None:
    kept, moved = (
        site.conf.replace("dpd = 90", "dpd = 50"),
        site.conf.replace("deny-roaming = false", "deny-roaming = true"),
    )
    site.bring(kept)
    site.bring(moved, **approver.word(moved))
    site.door.ask("agree", conf=sha(moved))
    assert site.door.refused("start", release=site.first, slot=2, conf=sha(kept)) == "not_allowed"
    assert site.door.refused("agree", conf=sha(kept)) == "not_allowed"


def test_an_edit_on_the_host_is_put_back(site: Site) -> None:
    site.gateway.run(["sh", "-c", f"echo 'dpd = 1' >> {FILE}"])
    site.bring(site.conf.replace("dpd = 90", "dpd = 44"))
    assert site.door.ask("facts")["conf"]["changed"]
    assert site.door.refused("start", release=site.first, slot=2) == "conf_changed"
    assert not site.door.ask("agree", conf=sha(site.conf))["already"]
    assert (site.file(), site.door.ask("facts")["conf"]["changed"]) == (site.conf, False)
    assert site.door.ask("agree", conf=sha(site.conf))["already"]


def test_check_says_what_ocserv_lets_pass(site: Site, approver: Approver) -> None:
    new = site.conf.replace("dpd = 90", "dpd = soon").replace("mobile-dpd", "mobil-dpd") + "crl = /nowhere\n"
    site.bring(new, **approver.word(new))
    checked = site.door.ask("check", release=site.first, slot=2, conf=sha(new))
    assert not checked["ok"]
    found = {(row["level"], row["code"]) for row in checked["findings"]}
    assert {("error", "value_bad"), ("error", "file_missing"), ("warning", "option_unknown")} <= found
    assert sum(row["code"] == "option_unknown" for row in checked["findings"]) == 1


class Approver:
    """A person with an SSH key of his own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.key = folder / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f", str(self.key)])
        self.public = " ".join(self.key.with_suffix(".pub").read_text().split()[:2])

    def word(self, conf: str) -> dict[str, object]:
        """His signed statement over a configuration's digest."""
        fields = {"format": 1, "gateway": "*", "kind": "config", "sha256": sha(conf)}
        fields |= {"made": "2026-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"}
        said = json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n"
        signed = text(["ssh-keygen", "-q", "-Y", "sign", "-n", "handover", "-f", str(self.key)], stdin=said)
        return {"statement": said, "signatures": [{"name": "alice.sig", "text": signed}]}


@pytest.fixture
def approver(site: Site, tmp_path: Path) -> Approver:
    """Alice, whose key is pinned on the gateway."""
    alice = Approver(tmp_path / "alice")
    path = "/etc/ocgate/trust/policy.json"
    policy = json.loads(site.gateway.run(["cat", path]))
    policy |= {"format": 2, "approvers": {"needed": 1, "keys": [{"name": "alice", "key": alice.public}]}}
    site.gateway.run(["sh", "-c", f"cat > {path}"], stdin=json.dumps(policy))
    return alice
