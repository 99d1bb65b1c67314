"""``lightwork convert``: a file in another format, or compressed otherwise."""

import warnings
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from os import stat

from ..errors import FileWarning
from ..persistence import dump, load
from ..persistence.options import FileFormat, promised_format
from .command import OK, USAGE, Command, Refusal, add_json, refused_path
from .terminal import Terminal

__all__ = ["CONVERT"]

_METHODS = ("zstd", "lz4", "zlib", "bz2", "lzma", "gzip", "xz")
_LEVELS = tuple("123456789")

DETAILS = """\
SOURCE is any file that lightwork.load reads: its own, those of joblib 0.8 to 1.6, plain pickles. TARGET
appears whole or not at all, and an older file of that name survives a failure. Its name tells the format:
.joblib is joblib's, others are lightwork's. An ending such as .gz or .xz compresses the whole file.

examples:
  lightwork convert old.joblib new.lw                          joblib is not needed
  lightwork convert old.pkl new.lw --compress                  shuffled and compressed in blocks
  lightwork convert new.lw for-others.joblib                   joblib loads and maps it
  lightwork convert new.lw for-others.dat --format joblib      whatever its name is
  lightwork convert old.joblib new.lw --rename sklearn.externals.joblib=joblib

Loading a file runs what it says: convert only what you trust.
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the file to read")
    parser.add_argument("target", metavar="TARGET", help="the file to write")
    parser.add_argument(
        "--format",
        choices=("lightwork", "joblib"),
        help="of TARGET (default: what its name tells)",
    )
    parser.add_argument(
        "--compress",
        type=_method,
        nargs="?",
        const=True,
        default=0,
        metavar="METHOD",
        help="by default (then last on the line), or with METHOD: zstd, lz4, zlib, bz2, lzma, gzip, xz, or a "
        "level from 1 to 9",
    )
    parser.add_argument(
        "--rename",
        dest="renames",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="a module or class that has moved since SOURCE was written; may be repeated",
    )
    add_json(parser, "names and sizes")


def _run(given: Namespace, terminal: Terminal) -> int:
    renames = _renames(given.renames)
    form = given.format or _format_by_name(given.target)
    try:
        value = load(given.source, renames=renames)
    except Exception as exc:  # unpickling runs what the file says
        raise refused_path(given.source, exc) from exc
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileWarning)  # of a name that was given together with --format
            dump(value, given.target, given.compress, format=form)
    except OSError as exc:
        raise refused_path(given.target, exc, "written") from exc
    sizes = {name: stat(path).st_size for name, path in (("source", given.source), ("target", given.target))}
    if given.json:
        paths = {"source": given.source, "target": given.target}
        terminal.write_json({**paths, "format": form, "bytes": sizes})
    else:
        terminal.write(
            f"{given.source} ({sizes['source']:,} bytes) -> {given.target} ({sizes['target']:,} bytes)"
        )
    return OK


def _method(text: str) -> str | int:
    if text in _METHODS:
        return text
    if text in _LEVELS:
        return int(text)
    raise ArgumentTypeError(
        f"{text!r} is no method and no level: give one of {', '.join(_METHODS)}, 1 to 9, or write --compress "
        "behind SOURCE and TARGET"
    )


def _format_by_name(target: str) -> FileFormat:
    promised = promised_format(target)
    if promised == "pickle":
        raise Refusal(
            f"{target!r} promises a pickle, which is not written: say --format joblib (a pickle if there "
            "are no arrays), --format lightwork, or give another name",
            USAGE,
        )
    return promised or "lightwork"


def _renames(pairs: list[str]) -> dict[str, str] | None:
    renames = {}
    for pair in pairs:
        old, separator, new = pair.partition("=")
        if not (old and separator and new):
            raise Refusal(f"--rename {pair}: write OLD=NEW", USAGE)
        renames[old] = new
    return renames or None


CONVERT = Command(
    "convert",
    "write a file of lightwork, joblib or pickle in another format or compression",
    DETAILS,
    _add_arguments,
    _run,
)
