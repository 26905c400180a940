"""nft's `jhash ip saddr mod 100 seed S`, computed again by us: which side an address must be on.

Bob Jenkins's lookup3 as in the kernel's include/linux/jhash.h, for a key of four bytes; nft_hash.c then scales the
32 bits down by `reciprocal_scale`.
"""

from __future__ import annotations

import socket
import struct

INITIAL = 0xDEADBEEF  # JHASH_INITVAL
WORD = 0xFFFFFFFF


def share_of(address: str, *, seed: int, modulus: int = 100) -> int:
    """The number from 0 to `modulus` - 1 that the kernel computes for an IPv4 source address."""
    a = b = c = (INITIAL + 4 + seed) & WORD
    # The kernel reads the packet's bytes one by one, the lowest first.
    a = (a + struct.unpack("<I", socket.inet_aton(address))[0]) & WORD
    return _final(a, b, c) * modulus >> 32


def _final(a: int, b: int, c: int) -> int:
    """__jhash_final."""
    c = ((c ^ b) - _rolled(b, 14)) & WORD
    a = ((a ^ c) - _rolled(c, 11)) & WORD
    b = ((b ^ a) - _rolled(a, 25)) & WORD
    c = ((c ^ b) - _rolled(b, 16)) & WORD
    a = ((a ^ c) - _rolled(c, 4)) & WORD
    b = ((b ^ a) - _rolled(a, 14)) & WORD
    return ((c ^ b) - _rolled(b, 24)) & WORD


def _rolled(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & WORD
