"""A web service that fails now and then: many requests in threads, tried again, kept for an hour.

The service is a small one of our own, so that the example needs no network.
"""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lightwork import Memory, Parallel, Retry, delayed

memory = Memory("cache", ttl="1h")
requests: Counter[str] = Counter()


class Weather(BaseHTTPRequestHandler):
    """Answers every path, but refuses the first request for each third city."""

    def do_GET(self) -> None:
        city = self.path.removeprefix("/")
        requests[city] += 1
        busy = int(city) % 3 == 0 and requests[city] == 1
        body = json.dumps({"city": city, "temperature": 10 + int(city) % 7}).encode()
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def service() -> Iterator[str]:
    """The address of the service, while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Weather)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@memory.cache(ignore=["address"])
def temperature(city: int, address: str) -> int:
    with urllib.request.urlopen(f"{address}/{city}", timeout=10) as answer:
        return int(json.load(answer)["temperature"])


def main() -> None:
    memory.clear(warn=False)  # so that the example always begins anew
    patient = Retry(3, on=urllib.error.HTTPError, backoff=0.05, jitter=0.2)
    with service() as address:
        for run in ("first", "second"):
            before = requests.total()
            found = Parallel(n_jobs=8, backend="threads", retries=patient)(
                delayed(temperature)(city, address) for city in range(30)
            )
            print(f"{run} run: {len(found)} answers, {requests.total() - before} requests")
    assert requests.total() == 30 + 10  # ten were refused once; the second run asked nothing


if __name__ == "__main__":
    main()
