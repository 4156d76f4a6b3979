"""Free TCP ports of this machine, chosen below the range that outgoing connections take theirs from."""

import random
import socket
from collections.abc import Collection
from pathlib import Path

from guichet.stack.errors import StackError

LOWEST = 15000
HIGHEST = 32000


def _ephemeral_low() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int, taken: Collection[int] = ()) -> list[int]:
    """Returns `count` different free ports outside `taken`; random, so that stacks started together rarely meet."""
    high = min(HIGHEST, _ephemeral_low() - 1)
    low = min(LOWEST, high - 5000)
    found: list[int] = []
    for _ in range(4000):
        if len(found) == count:
            return found
        port = random.randint(low, high)
        if port not in found and port not in taken and is_free(port):
            found.append(port)
    raise StackError(f"fewer than {count} free ports between {low} and {high}", "stop a stack: guichet down")
