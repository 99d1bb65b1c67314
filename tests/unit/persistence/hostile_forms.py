"""Hostile files with instructions that lightwork never writes, and files of other programs."""

import pickle
import zlib

from tests.unit.persistence.hostile_skeletons import (
    MARK,
    NONE,
    REDUCE,
    Reduced,
    call,
    data,
    group,
    name,
    old,
    pickled,
    text,
)

_SYSTEM = text("touch never")

FORMS: dict[str, tuple[str, bytes, str]] = {
    "global": (
        "a name by the old instruction",
        pickled(b"cos\nsystem\n", group(_SYSTEM), REDUCE),
        "GLOBAL for 'os.system'",
    ),
    "inst": (
        "a call by the old instruction",
        pickled(MARK, _SYSTEM, b"ios\nsystem\n"),
        "INST for 'os.system'",
    ),
    "obj": ("a call of what lies on the stack", pickled(MARK, name("os:system"), _SYSTEM, b"o"), "OBJ"),
    "persistent id": ("an id that the reader looks up", pickled(text("id"), b"Q"), "BINPERSID"),
    "persistent text": ("the same as text", pickled(b"Pid\n"), "PERSID"),
    "ext": ("an extension code, which names whatever is registered", pickled(b"\x82\x01"), "EXT1"),
    "ext4": ("the long form", pickled(b"\x84\x01\x00\x00\x00"), "EXT4"),
    "memo bomb": (
        "nine bytes that cost a gigabyte in a memo",
        pickled(NONE, b"r\x00\x00\x00\x04"),
        "LONG_BINPUT",
    ),
    "unwritten name": (
        "a name that is made, not written",
        pickled(call("builtins:bytes", data(b"os")), text("system"), b"\x93", group(_SYSTEM), REDUCE),
        "not written out",
    ),
    "protocol 0": ("a text pickle", old(Reduced(print, ()), 0), "protocol"),
    "protocol 2": ("joblib's protocol of old", old(Reduced(print, ()), 2), "protocol"),
    "joblib": ("a bare pickle, as joblib writes it", pickle.dumps(Reduced(print, ()), 4), "joblib"),
    "joblib zlib": ("a pickle in zlib", zlib.compress(pickle.dumps(Reduced(print, ()))), "joblib"),
    "joblib 0.9": ("the first format of joblib", b"ZF0x3e" + bytes(30), "joblib"),
}
