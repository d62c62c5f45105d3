"""A local Ray is reached from this machine alone: what its processes listen on."""

from __future__ import annotations

import ipaddress
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

pytestmark = [pytest.mark.ray, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def parents() -> dict[int, int]:
    """Of each process of this machine, the one that started it."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    return found


def family() -> set[int]:
    """This process, and what it and its children have started."""
    known, all_parents = {os.getpid()}, parents()
    while new := {pid for pid, parent in all_parents.items() if parent in known} - known:
        known |= new
    return known


def sockets(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def listeners() -> dict[str, Address]:
    """The address of each listening socket of this machine, by inode."""
    found: dict[str, Address] = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found[fields[9]] = _address(fields[1].partition(":")[0])
    return found


def _address(text: str) -> Address:
    """The kernel writes words of four bytes, each in the machine's order."""
    words = [int(text[index : index + 8], 16) for index in range(0, len(text), 8)]
    return ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))


def is_loopback(address: Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def test_every_listener_of_a_local_ray_is_on_this_machine_alone(ray_session: str) -> None:
    assert ray_session
    all_listeners = listeners()
    mine = [all_listeners[inode] for pid in family() for inode in sockets(pid) if inode in all_listeners]
    assert len(mine) > 5  # Ray's
    assert [str(address) for address in mine if not is_loopback(address)] == []
