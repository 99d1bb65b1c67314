"""moto's S3, spoken to in the words of Google's storage: ``python -m tests.clouds.google_program PORT``.

This is no server of Google's, nor one that others have made to be like it: it is our own translation, as we
read Google's documentation of its XML API. It shows that obstore sends Google nothing but what is described
there, and that lightwork keeps its promises with a server that does what is described. That Google does it,
it cannot show.

===================================  ====================================================================
what obstore sends                   what moto hears
===================================  ====================================================================
``Authorization: Bearer ...``        the signature of somebody, which it does not check
``x-goog-if-generation-match: 0``    ``If-None-Match: *``
``DELETE`` of an object              a look whether it is there first: Google says 404 if not, S3 never does
other ``x-goog-`` and parameters     nothing: they are refused with 501
===================================  ====================================================================

Answers get an ``x-goog-generation``, a number made of the ETag. Lists, ranges and uploads in parts are the
same in both. Requests are answered one after the other, as in `tests.s3_server`.
"""

import sys
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

from tests.s3_server import App, serve

__all__ = ["as_google"]

_KNOWN = {"continuation-token", "list-type", "max-keys", "partNumber", "prefix", "uploadId", "uploads"}
_CONDITION = "HTTP_X_GOOG_IF_GENERATION_MATCH"
_SOMEBODY = "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/s3/aws4_request, SignedHeaders=a, Signature=a"


def as_google(app: App) -> App:
    """A server of S3 as one of Google's."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # Any: WSGI's
        asked = dict(environ)
        asked["HTTP_AUTHORIZATION"] = _SOMEBODY
        condition = asked.pop(_CONDITION, None)
        unknown = _unknown(asked) if condition in (None, "0") else [f"generation {condition}"]
        if unknown:
            return _refuse(start_response, "501 Not Implemented", "NotTranslated", ", ".join(unknown))
        if condition is not None:
            asked["HTTP_IF_NONE_MATCH"] = "*"
        is_object = asked["PATH_INFO"].strip("/").count("/") > 0 and not asked["QUERY_STRING"]
        if asked["REQUEST_METHOD"] == "DELETE" and is_object and not _is_there(app, asked):
            return _refuse(start_response, "404 Not Found", "NoSuchKey", "The specified key does not exist.")
        return app(asked, _with_generation(start_response))

    return answer


def _unknown(asked: dict[str, Any]) -> list[str]:
    """What is asked for that has no translation."""
    parameters = urllib.parse.parse_qs(asked["QUERY_STRING"], keep_blank_values=True)
    return sorted({name for name in asked if name.startswith("HTTP_X_GOOG_")} | parameters.keys() - _KNOWN)


def _is_there(app: App, asked: dict[str, Any]) -> bool:
    said: list[str] = []
    looked = {**asked, "REQUEST_METHOD": "HEAD"}
    list(app(looked, lambda status, headers, exc_info=None: said.append(status)))
    return said[0].startswith("200")


def _refuse(start_response: Any, status: str, code: str, message: str) -> Iterable[bytes]:
    said = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f"<?xml version='1.0' encoding='UTF-8'?>{said}".encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _with_generation(start_response: Any) -> Callable[..., Any]:
    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        etags = [value for name, value in headers if name.lower() == "etag"]
        generations = [("x-goog-generation", str(int(etag.strip('"')[:12], 16))) for etag in etags]
        return start_response(status, [*headers, *generations], exc_info)

    return start


if __name__ == "__main__":
    serve("127.0.0.1", int(sys.argv[1]), as_google)
