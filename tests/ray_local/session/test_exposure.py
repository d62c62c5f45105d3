"""What of a local Ray can be reached, and by whom: nothing from another machine, and nothing without the token."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import ray
from ray._private import ray_constants

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables of sockets"),
]
LISTEN = "0A"


def below(root: int) -> set[int]:
    """The processes that a process started, and those that these did; their ids."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    found, size = {root}, 0
    while len(found) > size:
        size = len(found)
        found |= {process for process, parent in parents.items() if parent in found}
    return found


def inodes(process: int) -> set[str]:
    """The sockets that a process holds open."""
    held = set()
    for link in Path(f"/proc/{process}/fd").glob("*"):
        try:
            held |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))  # noqa: PTH115  # no path
        except OSError:  # closed, or ended
            continue
    return held


def listeners(processes: set[int]) -> dict[str, int]:
    """Every address and port that these processes listen at, with the process."""
    owners = {inode: process for process in processes for inode in inodes(process)}
    found = {}
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        path = Path(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == LISTEN and fields[9] in owners:
                found[_written(fields[1], family)] = owners[fields[9]]
    return found


def _written(field: str, family: socket.AddressFamily) -> str:
    address, port = field.split(":")
    words = [struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8)]
    return f"{socket.inet_ntop(family, b''.join(words))} {int(port, 16)}"


def is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return (mapped or parsed).is_loopback


def test_every_listener_of_a_local_ray_is_on_loopback(ray_session: str) -> None:
    found = listeners(below(os.getpid()))
    assert int(ray_session.rpartition(":")[2]) in {int(place.split()[1]) for place in found}, (
        "the dashboard's is missed"
    )
    assert len(set(found.values())) >= 4, "the servers of Ray are several processes"
    programs = {place: Path(f"/proc/{owner}/cmdline").read_text()[:200] for place, owner in found.items()}
    assert not {place: program for place, program in programs.items() if not is_loopback(place.split()[0])}


def test_the_agent_of_the_dashboard_leaves_its_usual_port_to_others(ray_session: str) -> None:
    ports = {int(place.split()[1]) for place in listeners(below(os.getpid()))}
    assert ray._private.worker._global_node.dashboard_agent_listen_port in ports
    assert ray_constants.DEFAULT_DASHBOARD_AGENT_LISTEN_PORT not in ports


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/version", "/nodes?view=summary", "/api/v0/tasks"])
def test_without_the_token_the_dashboard_answers_nobody(ray_session: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer another"}):
        request = urllib.request.Request(f"http://{ray_session}{path}", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert caught.value.code in (401, 403)
