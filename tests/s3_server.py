"""A server that speaks the protocol of S3, in a process of its own, on the loopback interface.

It is moto's, with one thing added: requests are answered one after the other, since its look whether an
object is there and its write are two steps. What it holds goes with it: one that is started again is empty.
"""

import logging
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

__all__ = ["App", "S3Server", "serve"]

App: TypeAlias = "Callable[..., Iterable[bytes]]"
"""A server as WSGI sees it."""

_BUCKET = "bucket"
_SECONDS = 60.0


class S3Server:
    """The server of one test; `start` it, and `kill` it when it pleases.

    Parameters
    ----------
    address
        Where it listens.
    prefix
        What starts it, before the command: something that puts it into another network.
    """

    def __init__(self, address: str = "127.0.0.1", *, prefix: Sequence[str] = ()) -> None:
        self.address = address
        self.port = 0  # any; once it runs, that which it got
        self._prefix = prefix
        self._process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What tells programs where it is."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.address}:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }

    @property
    def options(self) -> dict[str, Any]:  # Any: texts and bools
        """The same as keyword arguments of `ObjectStore`."""
        names = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        config = {name.lower(): self.environment[name] for name in names}
        return {"config": config, "client_options": {"allow_http": True}}

    def url(self, prefix: str) -> str:
        """A place in its bucket."""
        return f"s3://{_BUCKET}/{prefix}"

    def start(self) -> None:
        """Start it, with an empty bucket; again at the same port."""
        command = [*self._prefix, sys.executable, __file__, self.address, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def signal(self, number: int) -> None:
        """Send it a signal, to stop it or to let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does. Nothing is left of what it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


# Any: the types of WSGI
def _one_by_one(app: App) -> App:
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return answer


def _as_it_is(app: App) -> App:
    return app


def serve(address: str, port: int, translate: Callable[[App], App] = _as_it_is) -> None:
    """Serve an empty bucket for as long as the process lives that has started this one; says the port.

    Parameters
    ----------
    translate
        Makes of moto's server the one that is spoken to.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    app = _one_by_one(translate(DomainDispatcherApplication(create_backend_app)))
    server = make_server(address, port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bucket = urllib.request.Request(f"http://{address}:{server.server_port}/{_BUCKET}", method="PUT")
    with urllib.request.urlopen(bucket, timeout=_SECONDS):
        print(server.server_port, flush=True)
    parent = os.getppid()
    while os.getppid() == parent:  # a test run that is killed leaves no server behind
        time.sleep(1.0)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
