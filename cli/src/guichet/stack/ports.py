"""Free TCP ports of this machine, chosen below the range that outgoing connections take theirs from.

A stack chooses its ports some seconds before its processes listen on them. So that no other stack of this user takes
them in between, what was given out is noted in a file that all of them read.
"""

import fcntl
import os
import random
import socket
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from guichet.stack.errors import StackError

LOWEST = 15000
HIGHEST = 32000
KEPT_SECONDS = 300
"""How long a port that was given out is given to nobody else, listened on or not."""


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
    with _given_out() as given:
        for _ in range(4000):
            if len(found) == count:
                given.update(dict.fromkeys(found, int(time.time())))
                return found
            port = random.randint(low, high)
            if port not in found and port not in taken and port not in given and is_free(port):
                found.append(port)
    raise StackError(f"fewer than {count} free ports between {low} and {high}", "stop a stack: guichet down")


@contextmanager
def _given_out() -> Iterator[dict[int, int]]:
    """The ports that stacks of this user were given lately, and when; what is added is noted. One at a time."""
    path = Path(tempfile.gettempdir()) / f"guichet-ports-{os.getuid()}"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        since = time.time() - KEPT_SECONDS
        noted = (line.split() for line in file)
        lines = [words for words in noted if len(words) == 2 and all(word.isdecimal() for word in words)]
        given = {int(port): int(at) for port, at in lines if int(at) > since}
        yield given
        file.seek(0)
        file.truncate()
        file.writelines(f"{port} {at}\n" for port, at in given.items())
