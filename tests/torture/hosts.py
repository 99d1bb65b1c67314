"""Three hosts that share nothing but a server: network namespaces, or processes where those cannot be made.

::

    host 0 ── veth ──┐
    host 1 ── veth ──┼── bridge, in a namespace of its own: the server
    host 2 ── veth ──┘

The addresses are those of the namespaces alone: nothing here can reach another network.
"""

import contextlib
import os
import subprocess
from collections.abc import Sequence

from tests.s3_server import S3Server

__all__ = ["COUNT", "Hosts", "Namespaces"]

COUNT = 3
_SERVER = "10.77.0.254"


class Hosts:
    """The hosts of a test as processes on the loopback interface, with a server."""

    def __init__(self) -> None:
        self.server = S3Server()

    def prefix(self, number: int) -> Sequence[str]:
        """What stands before a command that is to run on a host."""
        return ()

    def open(self) -> None:
        """Make all that is needed. The server is not started."""

    def close(self) -> None:
        """Remove all that was made."""
        self.server.kill()


class Namespaces(Hosts):
    """The same, with a network of its own for each host and for the server. Needs to be root, on Linux."""

    def __init__(self) -> None:
        self._name = f"lightwork-{os.getpid()}"
        self.server = S3Server(_SERVER, prefix=self._inside("hub"))

    def prefix(self, number: int) -> Sequence[str]:
        return self._inside(str(number))

    def open(self) -> None:
        """Raises `OSError` or `subprocess.CalledProcessError` where there can be no namespaces."""
        hub = f"{self._name}-hub"
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "set", "lo", "up")
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "addr", "add", f"{_SERVER}/24", "dev", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for number in range(COUNT):
            host = f"{self._name}-{number}"
            _ip("netns", "add", host)
            _ip("-n", host, "link", "set", "lo", "up")
            _ip("-n", hub, "link", "add", f"to{number}", "type", "veth", "peer", "eth0", "netns", host)
            _ip("-n", hub, "link", "set", f"to{number}", "master", "bridge", "up")
            _ip("-n", host, "addr", "add", f"10.77.0.{number + 1}/24", "dev", "eth0")
            _ip("-n", host, "link", "set", "eth0", "up")

    def cut(self, number: int) -> None:
        """Pull the cable of a host."""
        _ip("-n", f"{self._name}-hub", "link", "set", f"to{number}", "down")

    def mend(self, number: int) -> None:
        """Put it back."""
        _ip("-n", f"{self._name}-hub", "link", "set", f"to{number}", "up")

    def close(self) -> None:
        """As for `Hosts`; also what was made of it before something failed."""
        super().close()
        for last in (*map(str, range(COUNT)), "hub"):
            with contextlib.suppress(OSError):
                subprocess.run(["ip", "netns", "del", f"{self._name}-{last}"], capture_output=True)

    def _inside(self, last: str) -> Sequence[str]:
        return "ip", "netns", "exec", f"{self._name}-{last}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
