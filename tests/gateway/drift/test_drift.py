"""Somebody changes things on a real gateway: it is seen, with the difference and who was there, and put back."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from fleet.errors import GiveUp
from tests.db.upgrader.world import OLD
from tests.gateway.drift.host import FILE, Host

EDIT = f"sed -i 's/^max-clients = .*/max-clients = 4/' {FILE}"


def test_an_edited_file_is_shown_with_who_was_signed_in_and_put_back(host: Host) -> None:
    before = host.file()
    host.sign_in(EDIT)
    host.look()
    alert = host.alerts()["conf"]
    assert "+max-clients = 4" in alert.details["diff"]
    assert [login["user"] for login in alert.details["logins"]] == ["sven"]
    assert host.put_back("conf").state == "done"
    assert host.file() == before
    host.look()
    assert host.alerts() == {}


def test_a_swapped_library_is_seen_and_the_release_put_back(host: Host) -> None:
    library = host.library()
    before = host.machine.run(["sha256sum", library])
    host.machine.run(
        ["sh", "-c", f"cp {library} {library}.new && echo evil >>{library}.new && mv {library}.new {library}"]
    )
    host.look()
    alert = host.alerts()["release"]
    assert alert.say.startswith(f"Files of {OLD} on {host.machine.name} are not those that were signed")
    errand = host.put_back("release")
    assert (errand.state, errand.say) == ("done", f"{OLD} on {host.machine.name} is as its signers made it again.")
    assert host.machine.run(["sha256sum", library]) == before
    host.look()
    assert host.alerts() == {}


def test_a_harmless_edit_is_adopted_and_one_beyond_one_persons_word_is_not(host: Host) -> None:
    host.machine.run(["sh", "-c", EDIT])
    host.look()
    assert host.adopt("conf").state == "done"
    host.look()
    assert host.alerts() == {}
    host.machine.run(["sh", "-c", f"echo 'connect-script = /bin/true' >>{FILE}"])
    host.look()
    with pytest.raises(Refused, match="connect-script"):
        host.adopt("conf")
    with pytest.raises(GiveUp, match="connect-script"):
        host.agree(host.machine.run(["sha256sum", FILE]).split()[0])
    assert host.put_back("conf").state == "done"


def test_nothing_starts_beside_an_edit_unless_exactly_it_may_stand(host: Host) -> None:
    host.machine.run(["sed", "-i", "s/^keepalive = .*/keepalive = 77/", FILE])
    sha256 = host.machine.run(["sha256sum", FILE]).split()[0]
    asked = [host.check(over=over) for over in ("", "0" * 64, sha256)]
    assert ["conf_changed" in codes for codes in asked] == [True, True, False]
    host.look()
    assert host.put_back("conf").state == "done"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("ocgate", "cp -a /usr/lib/ocgate/ocgate /tmp/kept; printf x >>/usr/lib/ocgate/ocgate"),
        ("keys", "cp -a {keys} /tmp/kept; echo 'ssh-ed25519 AAAA somebody' >>{keys}"),
        ("trust", "cp -a /etc/ocgate/trust /tmp/kept; echo >>/etc/ocgate/trust/policy.json"),
    ],
)
def test_each_other_part_is_seen_until_it_is_as_before(host: Host, code: str, change: str) -> None:
    keys = "/var/lib/ocgate/home/.ssh/authorized_keys"
    place = {"ocgate": "/usr/lib/ocgate/ocgate", "keys": keys, "trust": "/etc/ocgate/trust"}[code]
    host.machine.run(["sh", "-c", change.format(keys=keys)])
    host.look()
    seen = set(host.alerts())
    host.machine.run(["sh", "-c", f"rm -rf {place} && mv /tmp/kept {place}"])
    host.look()
    assert (seen, host.alerts()) == ({code}, {})
