"""What is sent to Google's and Microsoft's storage, and how their answers are understood.

A script answers, with the status and the code that each service has for the case; servers that keep what they
are sent are in ``tests/clouds``.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from lightwork.errors import InvalidOption, StoreUnavailable
from lightwork.memory import Memory
from lightwork.stores.objects.link import PIECE, Link

pytest.importorskip("obstore", reason="object stores are reached through obstore")

_FACTS = {"ETag": '"1"', "Last-Modified": "Thu, 26 Nov 2026 06:00:00 GMT"}
_ERROR = """<?xml version="1.0"?>
<Error><Code>{}</Code><Message>It is so.
Time: now</Message></Error>"""


class Request(NamedTuple):
    """What the server was asked: headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class Answer(NamedTuple):
    """What it says to that."""

    status: int
    code: str = ""


class Script:
    """A server that keeps nothing: it answers by a function, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer: Callable[[Request], Answer] = lambda _: Answer(200)
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers)
                script.asked.append(request)
                status, code = script.answer(request)
                body = _ERROR.format(code).encode() if code else b""
                self.send_response(status)
                for name, value in {**_FACTS, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = handle_one

            def log_message(self, format: str, *args: Any) -> None:  # Any: as the class has it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.close()


@pytest.fixture
def google(script: Script) -> Link:
    """A bucket of it."""
    account = {"gcs_base_url": script.address, "disable_oauth": True, "client_email": "", "private_key": ""}
    key = json.dumps({**account, "private_key_id": ""})
    options = {"allow_http": True}
    return Link("gs://bucket/prefix", config={"service_account_key": key}, client_options=options)


@pytest.fixture
def azure(script: Script) -> Link:
    """A container of it."""
    config = {"account_name": "somebody", "account_key": "bm90aGluZw==", "endpoint": script.address}
    return Link("az://container/prefix", config=config, client_options={"allow_http": True})


def test_google_is_asked_to_create_by_generation(script: Script, google: Link) -> None:
    """Generation 0 is "not there yet"; 412 says that somebody was first."""
    assert google.create("x", b"1")
    script.answer = lambda _: Answer(412, "PreconditionFailed")
    assert not google.create("x", b"1")
    for request in script.asked:
        assert (request.method, request.headers["x-goog-if-generation-match"]) == ("PUT", "0")
        assert request.path == "/bucket/prefix%2Fx"


def test_azure_is_asked_to_create_by_etag(script: Script, azure: Link) -> None:
    """No tag at all may match; 409 says that somebody was first."""
    script.answer = lambda _: Answer(201)
    assert azure.create("x", b"1")
    script.answer = lambda _: Answer(409, "BlobAlreadyExists")
    assert not azure.create("x", b"1")
    for request in script.asked:
        assert (request.method, request.headers["if-none-match"]) == ("PUT", "*")
        assert request.path == "/container/prefix/x"


def test_an_object_that_has_gone_does_not_keep_others(script: Script, google: Link) -> None:
    """Google's objects are removed one by one, and two hosts may be about it at once."""
    missing = "/bucket/prefix%2F0"
    script.answer = lambda request: Answer(404, "NoSuchKey") if request.path == missing else Answer(204)
    google.delete([str(number) for number in range(50)])
    paths = {request.path for request in script.asked if request.method == "DELETE"}
    assert paths == {f"/bucket/prefix%2F{number}" for number in range(50)}


def test_of_two_who_write_one_blob_the_second_is_done_too(script: Script, azure: Link) -> None:
    """When one of them has ended the blocks of the other are gone: as if it had been replaced at once."""

    def answer(request: Request) -> Answer:
        return Answer(400, "InvalidBlockList") if "comp=blocklist" in request.path else Answer(201)

    script.answer = answer
    azure.put("x", bytes(PIECE + 1))
    assert any("comp=blocklist" in request.path for request in script.asked)
    azure.get("x")  # and nobody rests


def test_other_answers_to_a_large_blob_are_errors(script: Script, azure: Link) -> None:
    """Only that one says that the blob is there."""

    def answer(request: Request) -> Answer:
        return Answer(400, "InvalidBlobOrBlock") if "comp=blocklist" in request.path else Answer(201)

    script.answer = answer
    with pytest.raises(StoreUnavailable, match="InvalidBlobOrBlock"):
        azure.put("x", bytes(PIECE + 1))


def test_what_the_server_says_is_shown(script: Script, azure: Link) -> None:
    """Its code and its words, however long the address is that stands before them."""
    script.answer = lambda _: Answer(404, "ContainerNotFound")
    with pytest.raises(StoreUnavailable, match=r"ContainerNotFound: It is so\. Time: now$"):
        list(azure.pages("x" * 300))


@pytest.mark.parametrize(
    ("url", "config", "message"),
    [
        ("az://container/x", {}, "Account must be specified"),
        ("az://container/x", {"account_name": "a", "account_key": "no key!"}, "Invalid Access Key"),
        ("gs://bucket/x", {"service_account": "/no/such/file.json"}, "/no/such/file.json"),
        ("gs://bucket/x", {"service_account_key": "{}"}, "missing field"),
        ("gs://bucket/x", {"account_name": "a"}, "account_name"),
        ("az://container/x", {"service_account": "a"}, "service_account"),
    ],
)
def test_who_cannot_be_known_is_refused(
    url: str, config: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the `Memory` is made, before anybody is asked."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(InvalidOption, match=message):
        Memory(url, backend_options={"config": config})
