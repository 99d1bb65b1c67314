"""``lightwork convert``: a file in another format, or compressed otherwise."""

from argparse import ArgumentParser, Namespace
from os import stat
from typing import Any

from ..persistence import dump, load
from .command import OK, USAGE, Command, Refusal, add_json, refused_path
from .terminal import Terminal

__all__ = ["CONVERT"]

DETAILS = """\
SOURCE is any file that lightwork.load reads: its own, those of joblib 0.8 to 1.6, plain pickles. TARGET
appears whole or not at all, and an older file of that name survives a failure. An ending such as .gz or .xz
compresses the whole file.

examples:
  lightwork convert old.joblib new.lw                          joblib is not needed
  lightwork convert old.pkl new.lw --compress                  shuffled and compressed in blocks
  lightwork convert new.lw for-others.joblib --format joblib   joblib loads and maps it
  lightwork convert old.joblib new.lw --rename sklearn.externals.joblib=joblib

Loading a file runs what it says: convert only what you trust.
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the file to read")
    parser.add_argument("target", metavar="TARGET", help="the file to write")
    parser.add_argument(
        "--format",
        choices=("lightwork", "joblib"),
        default="lightwork",
        help="of TARGET (default: lightwork)",
    )
    parser.add_argument(
        "--compress",
        nargs="?",
        const=True,
        default=0,
        metavar="METHOD",
        help="by default, or with METHOD: zstd, lz4, zlib, bz2, lzma, gzip, xz, or a level from 1 to 9",
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
    compress: Any = given.compress  # Any: dump says what it may be
    if isinstance(compress, str) and compress.isdecimal():
        compress = int(compress)
    try:
        value = load(given.source, renames=renames)
    except Exception as exc:  # unpickling runs what the file says
        raise refused_path(given.source, exc) from exc
    try:
        dump(value, given.target, compress, format=given.format)
    except OSError as exc:
        raise refused_path(given.target, exc, "written") from exc
    sizes = {name: stat(path).st_size for name, path in (("source", given.source), ("target", given.target))}
    if given.json:
        paths = {"source": given.source, "target": given.target}
        terminal.write_json({**paths, "format": given.format, "bytes": sizes})
    else:
        terminal.write(
            f"{given.source} ({sizes['source']:,} bytes) -> {given.target} ({sizes['target']:,} bytes)"
        )
    return OK


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
