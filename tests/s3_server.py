"""A server that speaks the protocol of S3, in a process of its own, on the loopback interface.

It is moto's, with one thing added: requests are answered one after the other, since its look whether an
object is there and its write are two steps. What it holds goes with it: one that is started again is empty.
"""

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["S3Server"]

_BUCKET = "bucket"
_SECONDS = 60.0


class S3Server:
    """The server of one test; `start` it, and `kill` it when it pleases."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What tells programs where it is."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
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
        """Start it, with an empty bucket."""
        command = [sys.executable, __file__, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"
        address = f"http://127.0.0.1:{self.port}/{_BUCKET}"
        with urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=_SECONDS):
            pass

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
def _one_by_one(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return answer


def main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        def log_request(self, *args: object) -> None:
            """Say nothing."""

    app = _one_by_one(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True, request_handler=Handler)
    print("listening", flush=True)
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent, server.shutdown), daemon=True).start()
    server.serve_forever()


def _end_with(parent: int, end: Callable[[], None]) -> None:
    """A test run that is killed leaves no server behind."""
    while os.getppid() == parent:
        threading.Event().wait(1.0)
    end()


if __name__ == "__main__":
    main()
