"""Functional tests: each asks the staging gateway one thing that its users or its operator count on."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from releases.matrix.ports import Bench, NoTunnel, Outcome, SignIn, Tunnel, green, red

Test = Callable[[Bench], Outcome]
BAN_TRIES = 12  # wrong passwords; the staging gateway bans at 50 points, 10 for each
SMALL_MTU = 1280  # what IPv6 asks of every link (RFC 8200, section 5)
STREAM = 2 * 1024 * 1024  # bytes each way


def upgrade(bench: Bench) -> Outcome:
    """The new release was staged, checked, started and steered to by ocgate, beside the old one."""
    say = f"Staged, checked and started in {bench.upgrade['ready_ms']} ms beside the old one."
    return green(say, "\n".join(bench.upgrade["findings"]), ready_ms=bench.upgrade["ready_ms"])


def password(bench: Bench) -> Outcome:
    return _in_and_out(bench, SignIn())


def certificate(bench: Bench) -> Outcome:
    """A client with a certificate and no password gets in; one that another authority vouches for does not."""
    try:
        let_in = _in_and_out(bench, SignIn(way="certificate"))
    except NoTunnel as refused:
        log = f"{refused.log}\n--- the server's log\n{bench.log('new')}"
        return red(f"A client with a good certificate was refused: {refused.say}", log)
    try:
        bench.sign_in(SignIn(way="foreign certificate", seat=1)).close()
    except NoTunnel as refused:
        return Outcome(let_in.verdict, let_in.say, let_in.numbers, refused.log)
    return red("A certificate of a foreign authority was let in.")


def wrong_password(bench: Bench) -> Outcome:
    try:
        bench.sign_in(SignIn(way="wrong password")).close()
    except NoTunnel as refused:
        return green(f"Refused: {refused.say}", refused.log)
    return red("A wrong password was let in.", bench.log("new"))


def banned(bench: Bench) -> Outcome:
    """Who guesses passwords is banned: then the right password is refused too."""
    bench.sign_in(SignIn(stranger=True)).close()  # or the refusal below would show nothing
    for _ in range(BAN_TRIES):
        with suppress(NoTunnel):
            bench.sign_in(SignIn(way="wrong password", stranger=True)).close()
    try:
        bench.sign_in(SignIn(stranger=True)).close()
    except NoTunnel as refused:
        return green(f"After {BAN_TRIES} wrong passwords the right one is refused too.", refused.log)
    return red(f"After {BAN_TRIES} wrong passwords the address was still let in.", bench.log("new"))


def tls(bench: Bench) -> Outcome:
    return _tunnel(bench, dtls=False)


def dtls(bench: Bench) -> Outcome:
    return _tunnel(bench, dtls=True)


def encryption(bench: Bench) -> Outcome:
    """A pattern goes through both kinds of tunnel: it is seen behind the gateway and nowhere outside."""
    outside = inside = packets = 0
    for over_udp in (False, True):
        pattern = secrets.token_bytes(24)
        with closing(bench.sign_in(SignIn(dtls=over_udp))) as tunnel, bench.wire(tunnel, pattern) as seen:
            tunnel.echo([400] * 10, pattern=pattern)
        outside, inside = outside + seen[0].outside_with_pattern, inside + seen[0].inside_with_pattern
        packets += seen[0].outside
    say = f"of {packets} packets outside {outside} showed the pattern, which was seen {inside} times behind the gateway"
    numbers: dict[str, Any] = {
        "packets_outside": packets,
        "with_pattern_outside": outside,
        "with_pattern_inside": inside,
    }
    good = packets > 0 and inside >= 20 and not outside
    return (green if good else red)(f"Over TLS and DTLS, {say}.", **numbers)


def traffic(bench: Bench) -> Outcome:
    """Bytes both ways, hashed at both ends, over TLS and over DTLS."""
    rates: dict[str, Any] = {}
    for name, over_udp in (("tls", False), ("dtls", True)):
        with closing(bench.sign_in(SignIn(dtls=over_udp))) as tunnel:
            seen = tunnel.stream(up=STREAM, down=STREAM)
            if not seen.whole or (seen.up, seen.down) != (STREAM, STREAM):
                return red(f"Over {name.upper()} the bytes came out changed or short: {seen.up} up, {seen.down} down.")
            rates[f"{name}_mbit"] = round(8e-6 * (seen.up + seen.down) / seen.seconds, 1)
    return green(f"{STREAM // 1024} KiB each way came out with the same SHA-256, over TLS and DTLS.", **rates)


def mtu(bench: Bench) -> Outcome:
    """A packet as large as the MTU that was pushed goes through both ways without fragments."""
    with closing(bench.sign_in(SignIn())) as tunnel:
        size = tunnel.pushed().mtu
        full = tunnel.echo([size] * 3)
        if size < SMALL_MTU:
            return red(f"The MTU is {size}; IPv6 needs {SMALL_MTU}.", mtu=size)
        if full.answered < full.sent or full.damaged:
            return red(f"The MTU is {size}, but {full.sent - full.answered} of {full.sent} such packets were lost.")
        return green(f"Packets of the whole MTU, {size} bytes, pass both ways.", mtu=size)


def dns_and_routes(bench: Bench) -> Outcome:
    with closing(bench.sign_in(SignIn())) as tunnel:
        pushed, wanted = tunnel.pushed(), bench.expected
        if pushed.dns != wanted.dns or set(pushed.routes) != set(wanted.routes):
            told = f"DNS {', '.join(pushed.dns) or 'none'}, routes {', '.join(pushed.routes) or 'none'}"
            configured = f"{', '.join(wanted.dns)} and {', '.join(wanted.routes)}"
            return red(f"The client was told {told}; the configuration has {configured}.", tunnel.log())
        return green(f"DNS {', '.join(pushed.dns)} and {len(pushed.routes)} routes, as configured.")


def reconnect(bench: Bench) -> Outcome:
    """A cut connection comes back by its cookie: the same session, without a password."""
    with closing(bench.sign_in(SignIn())) as tunnel:
        before = tunnel.session()
        tunnel.cut()
        after = tunnel.session()
        if not before or after != before:
            return red(
                f"After a cut the session is {after or 'gone'}, before it was {before or 'unknown'}.", tunnel.log()
            )
        return _flows(tunnel, "After a cut the client came back by its cookie into the same session.")


def reloaded(bench: Bench) -> Outcome:
    """A reload keeps who is connected and lets the next one in."""
    with closing(bench.sign_in(SignIn())) as tunnel:
        before = tunnel.session()
        bench.reload("new")
        with closing(bench.sign_in(SignIn(seat=1))):
            pass
        if not before or tunnel.session() != before:
            return red("The reload ended a session.", bench.log("new"))
        return _flows(tunnel, "The reload kept the session; the next client was let in.")


def disconnected(bench: Bench) -> Outcome:
    """The administrator disconnects a user: the session is gone and the client stays out."""
    with closing(bench.sign_in(SignIn())) as tunnel:
        bench.disconnect(tunnel)
        if not tunnel.ended(seconds=12):
            return red("The client was still connected 12 s after the administrator disconnected it.", tunnel.log())
        return green("Disconnected by the administrator, the client was out and stayed out.", tunnel.log())


def ipv6(bench: Bench) -> Outcome:
    """Outside over IPv6, and IPv6 inside the tunnel."""
    with closing(bench.sign_in(SignIn(family=6))) as tunnel:
        address = tunnel.pushed().address6
        if not address:
            return red("The client got no IPv6 address.", tunnel.log())
        seen = tunnel.echo([300] * 5, family=6)
        say = f"{seen.answered} of {seen.sent} IPv6 packets were answered through a tunnel over IPv6"
        return (green if seen.answered == seen.sent else red)(f"{say}.", tunnel.log(), address=address)


def broken_requests(bench: Bench) -> Outcome:
    """Nonsense on the port ends nobody but itself: the server does not restart and the session beside it goes on."""
    before = bench.usage("new").restarts
    with closing(bench.sign_in(SignIn())) as tunnel:
        taken = bench.pester("new")
        log = "\n".join(f"{name}: {how}" for name, how in taken.items())
        if (after := bench.usage("new").restarts) != before:
            return red(f"The server restarted {after - before} times after broken requests.", log)
        flows = _flows(tunnel, f"{len(taken)} kinds of broken requests ended nobody but themselves.")
        return Outcome(flows.verdict, flows.say, flows.numbers, log)


def oldest_client(bench: Bench) -> Outcome:
    return _in_and_out(bench, SignIn(program=bench.programs[0]))


def newest_client(bench: Bench) -> Outcome:
    return _in_and_out(bench, SignIn(program=bench.programs[-1]))


TESTS: dict[str, Test] = {
    "upgrade": upgrade,
    "password": password,
    "certificate": certificate,
    "wrong password": wrong_password,
    "banned client": banned,
    "tunnel over TLS": tls,
    "tunnel over DTLS": dtls,
    "encryption on the wire": encryption,
    "traffic with checksums": traffic,
    "MTU": mtu,
    "DNS and routes": dns_and_routes,
    "cookie reconnect": reconnect,
    "reload": reloaded,
    "disconnect": disconnected,
    "IPv6": ipv6,
    "broken requests": broken_requests,
    "oldest openconnect": oldest_client,
    "newest openconnect": newest_client,
}


def _in_and_out(bench: Bench, wish: SignIn) -> Outcome:
    with closing(bench.sign_in(wish)) as tunnel:
        client = wish.program or bench.programs[-1]
        return _flows(tunnel, f"In with {wish.way}, openconnect {client}, in {tunnel.ready_ms:.0f} ms.")


def _tunnel(bench: Bench, *, dtls: bool) -> Outcome:
    with closing(bench.sign_in(SignIn(dtls=dtls))) as tunnel:
        if tunnel.pushed().dtls != dtls:
            return red("DTLS did not come up." if dtls else "The tunnel went over DTLS.", tunnel.log())
        return _flows(tunnel, f"The tunnel runs over {'DTLS' if dtls else 'TLS'}.")


def _flows(tunnel: Tunnel, say: str) -> Outcome:
    """What was to be shown holds only if packets still go both ways."""
    seen = tunnel.echo([200] * 5)
    if seen.answered < seen.sent or seen.damaged:
        return red(f"{say} But of {seen.sent} packets {seen.sent - seen.answered} were lost.", tunnel.log())
    return green(say, tunnel.log(), ready_ms=round(tunnel.ready_ms, 1))
