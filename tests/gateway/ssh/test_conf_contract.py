"""What every adapter promises about configurations, asked of the one in memory and of the one over SSH."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fleet.errors import GiveUp
from fleet.gateways.holdings import CONF, sha256_of
from fleet.ports import SlotRelease, Statement
from tests.gateway.ssh.conftest import OLD, Site

SOFT = CONF.replace("dpd = 60", "dpd = 90")
HARD = CONF + "connect-script = /usr/bin/true\n"


def word(conf: str, *names: str) -> Statement:
    """A statement over a configuration, signed by these."""
    fields = {"format": 1, "gateway": "*", "kind": "config", "sha256": sha256_of(conf)}
    fields |= {"made": "2026-11-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n"
    return Statement(text, tuple((f"{name}.sig", "signed") for name in names))


def code(failure: pytest.ExceptionInfo[Any]) -> str:
    return str(failure.value.code)


def conf_of(site: Site, slot: int) -> str:
    return site.gateway.facts().slots[slot - 1].conf


def test_a_configuration_is_kept_once_and_says_its_way(site: Site) -> None:
    first, second = (site.gateway.configure(SOFT, fence=fence) for fence in (1, 2))
    assert (first.sha256, first.changed, first.way) == (sha256_of(SOFT), ("dpd",), "reload")
    assert (first.already, second.already) == (False, True)
    assert site.real.effects == {"configure": 1}


def test_off_the_list_needs_approvers(site: Site) -> None:
    site.real.machine.holdings.pins.approvers = ["SHA256:alice"]
    with pytest.raises(GiveUp, match="connect-script") as no:
        site.gateway.configure(HARD, fence=1)
    assert code(no) == "not_allowed"
    with pytest.raises(GiveUp) as no:
        site.gateway.configure(HARD, statement=word(SOFT, "alice"), fence=1)
    assert code(no) == "statement_bad"
    assert site.gateway.configure(HARD, statement=word(HARD, "alice"), fence=1).changed == ("connect-script",)
    assert site.gateway.check(OLD, 2, conf=sha256_of(HARD)).ok


def test_a_commit_agrees_what_its_slot_was_started_with(site: Site) -> None:
    site.gateway.configure(SOFT, fence=1)
    started = site.gateway.start(OLD, 2, conf=sha256_of(SOFT), fence=1)
    assert (started.already, conf_of(site, 2), conf_of(site, 1)) == (False, sha256_of(SOFT), sha256_of(CONF))
    assert site.gateway.start(OLD, 2, conf=sha256_of(SOFT), fence=1).already
    assert site.real.machine.holdings.conf == CONF
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    assert not site.gateway.commit(2, fence=1)
    assert site.real.machine.holdings.conf == SOFT
    assert site.gateway.facts().agreed_conf == sha256_of(SOFT)


def test_restore_goes_back_to_the_slots_configuration(site: Site) -> None:
    site.gateway.configure(SOFT, fence=1)
    site.gateway.start(OLD, 2, conf=sha256_of(SOFT), fence=1)
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    first, second = (site.gateway.restore("previous", fence=fence) for fence in (2, 3))
    assert (first.slot, first.already, second.already) == (1, False, True)
    assert site.real.machine.holdings.conf == CONF
    assert site.gateway.facts().committed == SlotRelease(1, OLD)


def test_a_slot_with_another_configuration_is_not_taken_for_ours(site: Site) -> None:
    site.gateway.configure(SOFT, fence=1)
    site.gateway.start(OLD, 2, conf=sha256_of(SOFT), fence=1)
    for conf in ("", sha256_of(CONF)):
        with pytest.raises(GiveUp) as no:
            site.gateway.start(OLD, 2, conf=conf, fence=1)
        assert code(no) == "slot_busy"


def test_a_reload_is_agreed_by_the_commit_and_taken_back_by_restore(site: Site) -> None:
    site.gateway.configure(SOFT, fence=1)
    answers = [site.gateway.reload(1, sha256_of(SOFT), fence=1) for _ in range(2)]
    assert (answers, site.real.machine.holdings.conf) == ([False, True], CONF)
    assert not site.gateway.restore("committed", fence=1).already
    assert conf_of(site, 1) == sha256_of(CONF)
    site.gateway.reload(1, sha256_of(SOFT), fence=1)
    assert not site.gateway.commit(1, fence=1)
    assert site.gateway.facts().agreed_conf == sha256_of(SOFT)
    assert not site.gateway.restore("previous", fence=1).already
    assert (conf_of(site, 1), site.real.machine.holdings.conf) == (sha256_of(CONF), CONF)
    assert site.gateway.restore("previous", fence=1).already


def test_a_reload_that_nobody_commits_ends_by_itself(site: Site) -> None:
    site.gateway.configure(SOFT, fence=1)
    assert not site.gateway.reload(1, sha256_of(SOFT), seconds=60, fence=1)
    site.clock.now += 50
    assert site.gateway.reload(1, sha256_of(SOFT), seconds=60, fence=1)
    site.clock.now += 59
    assert conf_of(site, 1) == sha256_of(SOFT)
    site.clock.now += 1
    assert conf_of(site, 1) == sha256_of(CONF)


def test_what_a_reload_would_not_notice_is_a_no(site: Site) -> None:
    new = CONF.replace("max-clients = 1024", "max-clients = 1024\nsec-mod-scale = 2")
    site.real.machine.holdings.pins.approvers = ["SHA256:alice"]
    site.gateway.configure(new, statement=word(new, "alice"), fence=1)
    with pytest.raises(GiveUp) as no:
        site.gateway.reload(1, sha256_of(new), fence=1)
    assert code(no) == "not_reloadable"


def test_agree_puts_the_file_back(site: Site) -> None:
    site.real.machine.holdings.conf += "dpd = 1\n"
    assert site.gateway.facts().conf_changed
    assert [site.gateway.agree(sha256_of(CONF), fence=1) for _ in range(2)] == [False, True]
    assert not site.gateway.facts().conf_changed


def test_check_knows_the_options_of_the_release(site: Site) -> None:
    site.gateway.configure(CONF.replace("dpd = 60", "dpd = soon"), fence=1)
    checked = site.gateway.check(OLD, 2, conf=sha256_of(CONF.replace("dpd = 60", "dpd = soon")))
    assert not checked.ok
    assert [finding.code for finding in checked.findings] == ["value_bad"]


@pytest.mark.parametrize("verb", ["configure", "agree", "reload"])
def test_a_lower_fence_is_refused(site: Site, verb: str) -> None:
    site.gateway.configure(SOFT, fence=7)
    calls: dict[str, Callable[[], object]] = {
        "configure": lambda: site.gateway.configure(CONF, fence=6),
        "agree": lambda: site.gateway.agree(sha256_of(SOFT), fence=6),
        "reload": lambda: site.gateway.reload(1, sha256_of(SOFT), fence=6),
    }
    with pytest.raises(GiveUp) as no:
        calls[verb]()
    assert code(no) == "fence_too_low"


@pytest.mark.parametrize("verb", ["check", "start", "agree", "reload"])
def test_a_configuration_that_is_not_there_is_a_no(site: Site, verb: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "check": lambda: site.gateway.check(OLD, 2, conf="e" * 64),
        "start": lambda: site.gateway.start(OLD, 2, conf="e" * 64, fence=1),
        "agree": lambda: site.gateway.agree("e" * 64, fence=1),
        "reload": lambda: site.gateway.reload(1, "e" * 64, fence=1),
    }
    with pytest.raises(GiveUp) as no:
        calls[verb]()
    assert code(no) == "unknown_conf"
