"""A gateway with Debian's own ocserv on port 443, before and after ocgate adopts it."""

from __future__ import annotations

import pytest

from lab.fleet import Lab

pytestmark = pytest.mark.gateway


def test_the_distributions_ocserv_is_adopted_with_its_users_on_it() -> None:
    with Lab(gateways=1, users=2, adopt=True, say=lambda line: None) as lab:
        gateway = lab.gateways[0]
        before = {(one["user"], one["id"]) for one in gateway.sessions()}
        assert len(before) == 2
        assert "0.0.0.0:443" in gateway.run(["ss", "-Hlnt"])
        gateway.install(adopt=True)
        assert {(one["user"], one["id"]) for one in gateway.sessions() if one["slot"] == 0} == before
        assert [row["lost"] for row in lab.clients.report()] == [0, 0]
