"""Files that a stranger might send: each whole and sealed, with one line of what it is after."""

import os
import pickle
import zlib
from typing import NamedTuple

import numpy as np
import pandas as pd

from lightwork import dumps
from tests.unit.persistence.hostile_families import FAMILIES
from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MARK,
    MEMO,
    NEW,
    NONE,
    REDUCE,
    Reduced,
    array,
    arrow,
    bomb_in_skeleton,
    bomb_of_zeros,
    call,
    categorical,
    colliding_keys,
    data,
    doubled_tuples,
    doubled_value,
    dtype,
    frame,
    group,
    mapping,
    name,
    nested_arrays,
    nested_tuples,
    number,
    object_array,
    old,
    pickled,
    ranges,
    sealed,
    sparse,
    text,
)

CANARY = "lightwork_canary"
"""A module that leaves a mark when it is imported, put into the path by the test."""


class Hostile(NamedTuple):
    """A file, what it is after, and a part of the message that refuses it."""

    why: str
    data: bytes
    message: str


def _frame_with_attrs(mark: str) -> bytes:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["x"] = Reduced(os.system, (f"touch {mark}",))
    return dumps(frame, compress=True)


def hostile_files(mark: str) -> dict[str, Hostile]:
    """By a short name. `mark` is a file that the code in them would make if it ran."""
    command = text(f"touch {mark}")
    system = call("os:system", command)
    code = text(f"open({mark!r}, 'w')")
    found: dict[str, tuple[str, bytes, str]] = {
        # ------------------------------------------------------------------ calls of what is not admitted
        "os.system": ("the classic: a call on load", pickled(system), "os.system"),
        "posix.system": (
            "the same under its other name",
            pickled(call("posix:system", command)),
            "posix.system",
        ),
        "eval": ("an expression", pickled(call("builtins:eval", code)), "builtins.eval"),
        "exec": ("a program", pickled(call("builtins:exec", code)), "builtins.exec"),
        "import": ("an import by call", pickled(call("builtins:__import__", text(CANARY))), "__import__"),
        "canary": ("an import by name alone", pickled(name(f"{CANARY}:thing")), CANARY),
        "subprocess": (
            "a class whose constructor runs a program",
            pickled(call("subprocess:Popen", command)),
            "Popen",
        ),
        "pty": ("a terminal", pickled(call("pty:spawn", command)), "pty.spawn"),
        "runpy": ("a module run as a program", pickled(call("runpy:_run_code", code)), "runpy"),
        "open": (
            "a file made by opening it",
            pickled(call("builtins:open", text(mark), text("w"))),
            "builtins.open",
        ),
        "getattr": (
            "a way from an admitted class to others",
            pickled(call("builtins:getattr", name("builtins:object"), text("__subclasses__"))),
            "attribute",
        ),
        "getattr of zone": (
            "the one admitted use of getattr, misused",
            pickled(call("builtins:getattr", name("zoneinfo:ZoneInfo"), text("__init__"))),
            "attribute",
        ),
        "dotted": (
            "a walk through attributes in the name",
            pickled(call("collections:abc.sys.modules.get", text("os"))),
            "abc.sys",
        ),
        "dotted numpy": (
            "the same through a library that is admitted in part",
            pickled(call("numpy:f2py.os.system", command)),
            "f2py.os.system",
        ),
        "numpy testing": (
            "a function of numpy that evaluates",
            pickled(call("numpy.testing._private.utils:runstring", code, b"}")),
            "runstring",
        ),
        "numpy load": (
            "a second pickle in a file of numpy",
            pickled(call("numpy:load", text(mark), NONE, b"\x88")),
            "numpy.load",
        ),
        "pandas eval": (
            "pandas evaluates expressions too",
            pickled(call("pandas:eval", code)),
            "pandas.eval",
        ),
        "pandas read": (
            "pandas unpickles too",
            pickled(call("pandas:read_pickle", text(mark))),
            "read_pickle",
        ),
        "pickle loads": (
            "a pickle in the pickle",
            pickled(call("pickle:loads", data(b"cos\nsystem\n."))),
            "pickle.loads",
        ),
        "lightwork load": (
            "our own ordinary load",
            pickled(call("lightwork:loads", data(b""))),
            "lightwork.loads",
        ),
        "functools": (
            "a partial, to be called later",
            pickled(call("functools:partial", name("os:system"), command)),
            "functools.partial",
        ),
        "operator": (
            "a caller of methods",
            pickled(call("operator:methodcaller", text("system"), command)),
            "operator.methodcaller",
        ),
        "types": (
            "a function made of code",
            pickled(call("types:FunctionType", NONE, b"}")),
            "types.FunctionType",
        ),
        "copyreg": (
            "an object without its constructor",
            pickled(call("copyreg:_reconstructor", name("os:_wrap_close"), name("builtins:object"), NONE)),
            "_wrap_close",
        ),
        "hidden": (
            "behind admitted values",
            pickled(MARK, array([1, 2]), text("x"), b"N", system, b"t"),
            "os.system",
        ),
        "several": (
            "two at once, both are named",
            pickled(MARK, system, call("shutil:rmtree", text(mark)), b"t"),
            "shutil.rmtree",
        ),
        "in an array": (
            "inside an array of objects (CVE-2024-34997)",
            pickled(object_array(1, system)),
            "os.system",
        ),
        "by memo": (
            "the name put together from the memo",
            pickled(
                text("os"), MEMO, b"0", text("system"), MEMO, b"0", b"h\x00h\x01\x93", group(command), REDUCE
            ),
            "os.system",
        ),
        "as key": ("as the key of a dict", pickled(b"}", system, NONE, b"s"), "os.system"),
        "as state": (
            "as the state of an admitted type",
            pickled(name("uuid:UUID"), b")", NEW, system, BUILD),
            "os.system",
        ),
        "as attrs": ("in the attributes of a frame", _frame_with_attrs(mark), "posix.system"),
        "in compressed": (
            "compressed, so that a scanner does not see it",
            dumps(Reduced(print, (1,)), compress=True),
            "builtins.print",
        ),
        "by value": (
            "a function taken along by cloudpickle",
            dumps(lambda: mark, pickler="cloudpickle"),
            "cloudpickle",
        ),
        # ---------------------------------------------------------- instructions that lightwork never writes
        "global": (
            "a name by the old instruction",
            pickled(b"cos\nsystem\n", group(command), REDUCE),
            "GLOBAL for 'os.system'",
        ),
        "inst": (
            "a call by the old instruction",
            pickled(MARK, command, b"ios\nsystem\n"),
            "INST for 'os.system'",
        ),
        "obj": ("a call of what lies on the stack", pickled(MARK, name("os:system"), command, b"o"), "OBJ"),
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
            pickled(call("builtins:bytes", data(b"os")), text("system"), b"\x93", group(command), REDUCE),
            "not written out",
        ),
        "protocol 0": ("a text pickle", old(Reduced(print, ()), 0), "protocol"),
        "protocol 2": ("joblib's protocol of old", old(Reduced(print, ()), 2), "protocol"),
        # ------------------------------------------------------------------------- files of other programs
        "joblib": ("a bare pickle, as joblib writes it", pickle.dumps(Reduced(print, ()), 4), "joblib"),
        "joblib zlib": ("a pickle in zlib", zlib.compress(pickle.dumps(Reduced(print, ()))), "joblib"),
        "joblib 0.9": ("the first format of joblib", b"ZF0x3e" + bytes(30), "joblib"),
        # --------------------------------------------------------------------------- admitted types, misused
        "call a value": (
            "a call of what an admitted call has made",
            pickled(call("builtins:slice", number(1)), group(command), REDUCE),
            "calls a slice",
        ),
        "call a class": (
            "a class that is only a value here",
            pickled(call("builtins:list", text("x"))),
            "only be a value",
        ),
        "call list": (
            "bytes() of a number takes memory",
            pickled(call("builtins:bytes", number(1 << 40))),
            "only be a value",
        ),
        "bytearray": (
            "bytearray() of a number takes memory",
            pickled(call("builtins:bytearray", number(1 << 40))),
            "bytearray",
        ),
        "state of a class": (
            "a new method for a class of ours",
            pickled(name("numpy:dtype"), mapping(x=NONE), BUILD),
            "sets the state",
        ),
        "state of a list": (
            "a state for what has none",
            pickled(b"]", mapping(x=NONE), BUILD),
            "sets the state",
        ),
        "state of a stand-in": (
            "new defaults for a function of ours",
            pickled(name("numpy._core.multiarray:scalar"), mapping(x=NONE), BUILD),
            "sets the state",
        ),
        "append to a dict": (
            "items for a type that calls code to add them",
            pickled(call("uuid:UUID"), b"]", b"a"),
            "only be a value",
        ),
        "factory": (
            "a factory that a defaultdict would call",
            pickled(call("collections:defaultdict", name("zoneinfo:ZoneInfo"))),
            "may call",
        ),
        "zone": (
            "a time zone outside of its folder",
            pickled(
                call("builtins:getattr", name("zoneinfo:ZoneInfo"), text("_unpickle")),
                group(text("../../../etc/passwd"), number(1)),
                REDUCE,
            ),
            "no time zone",
        ),
        "date": (
            "a date of month 2, day 200",
            pickled(call("datetime:date", data(b"\x07\xe4\x02\xc8"))),
            "nonsense",
        ),
        "early use": (
            "an array used before its state, freed by it",
            pickled(
                MARK,
                name("numpy._core.multiarray:_reconstruct"),
                group(name("numpy:ndarray"), group(number(0)), data(b"b")),
                REDUCE,
                MEMO,
                b"h\x00",
                b"t",
            ),
            "before its state",
        ),
        # ------------------------------------------------------------------------- memory of native code
        "small buffer": (
            "an array that is larger than its buffer",
            pickled(
                call("lightwork.parcel.rebuild:array_type")[:-1] + REDUCE,
                group(group(number(1000)), dtype("f8"), data(bytes(8))),
                REDUCE,
            ),
            "not in a buffer",
        ),
        "many lengths": (
            "a shape whose product takes minutes: 100,000 lengths of 2,000 bits",
            pickled(
                number(1 << 2000),
                MEMO,
                b"0",
                call("lightwork.parcel.rebuild:array_type"),
                group(MARK + b"h\x00" * 100_000 + b"t", dtype("f8"), data(bytes(8))),
                REDUCE,
            ),
            "as a shape what is none",
        ),
        "negative offset": (
            "an array that begins before its buffer",
            pickled(
                call("lightwork.parcel.rebuild:array_type"),
                group(group(number(1)), dtype("f8"), data(bytes(8)), number(-8)),
                REDUCE,
            ),
            "not in a buffer",
        ),
        "pointers": (
            "bytes taken for pointers to objects",
            pickled(
                call("lightwork.parcel.rebuild:array_type"),
                group(group(number(1)), dtype("O8"), data(bytes(8))),
                REDUCE,
            ),
            "not written in this way",
        ),
        "pointers by scalar": (
            "the same as a scalar",
            pickled(call("numpy._core.multiarray:scalar", dtype("O8"), data(bytes(8)))),
            "not written in this way",
        ),
        "pointers by state": (
            "the same as a state",
            pickled(
                call(
                    "numpy._core.multiarray:_reconstruct", name("numpy:ndarray"), group(number(0)), data(b"b")
                ),
                group(number(1), group(number(1)), dtype("O8"), b"\x89", data(bytes(8))),
                BUILD,
            ),
            "items of an array",
        ),
        "few objects": ("more objects than there are", pickled(object_array(1 << 40, NONE)), "items"),
        "dtype": (
            "a field beyond the item",
            pickled(
                call("numpy:dtype", text("V8"), b"\x89", b"\x88"),
                group(
                    number(3),
                    text("|"),
                    NONE,
                    group(text("a")),
                    mapping(a=group(dtype("f8"), number(1 << 20))),
                    number(8),
                    number(1),
                    number(0),
                ),
                BUILD,
            ),
            "outside of items",
        ),
        "offset": (
            "a field at 2**31 - 1: the sum overflows when numpy checks it",
            pickled(
                call("numpy:dtype", text("V8"), b"\x89", b"\x88"),
                group(
                    number(3),
                    text("|"),
                    NONE,
                    group(text("a")),
                    mapping(a=group(dtype("f8"), number(2**31 - 1))),
                    number(8),
                    number(1),
                    number(0),
                ),
                BUILD,
            ),
            "outside of items",
        ),
        "arrow": (
            "texts of Arrow that lie outside of their buffer",
            pickled(
                name("pandas.arrays:ArrowStringArray"),
                b")",
                NEW,
                mapping(_pa_array=arrow([0, 10**9]), _dtype=call("pandas:StringDtype", text("python"))),
                BUILD,
            ),
            "larger than values array",
        ),
        "unit": (
            "a unit of zero nanoseconds, by which numpy divides",
            pickled(
                call("numpy:dtype", text("M8"), b"\x89", b"\x88"),
                group(
                    number(4),
                    text("<"),
                    NONE,
                    NONE,
                    NONE,
                    number(-1),
                    number(-1),
                    number(0),
                    group(NONE, group(data(b"ns"), number(0), number(1), number(1))),
                ),
                BUILD,
            ),
            "no unit of time",
        ),
        "dtype text": (
            "a dtype written as a long text",
            pickled(call("numpy:dtype", text("f8," * 100_000))),
            "how a pickle writes",
        ),
        "sparse indices": (
            "an index that points out of a row",
            pickled(sparse(indices=array(np.array([0, 10**8], "i4")))),
            "not below",
        ),
        "sparse pointers": (
            "pointers that point beyond the items",
            pickled(sparse(indptr=array(np.array([0, 1, 10**8], "i4")))),
            "beyond",
        ),
        "sparse order": (
            "pointers that go back",
            pickled(sparse(indptr=array(np.array([0, 10**8, 2], "i4")))),
            "not in order",
        ),
        "sparse objects": (
            "items that are objects",
            pickled(sparse(data=object_array(2, NONE, NONE))),
            "dtype object",
        ),
        "categories": ("a code without a category", pickled(categorical([0, 100])), "nonsense"),
        # ------------------------------------------------------------------------- time and memory
        "zeros": ("200 MiB of zeros in 13 KB", bomb_of_zeros(), "bytes of memory"),
        "skeleton": (
            "a hundred megabytes of instructions in some",
            bomb_in_skeleton(b"N", 200),
            "bytes of memory",
        ),
        "sets": ("each byte a set of 216 bytes", bomb_in_skeleton(b"\x8f", 1), "bytes of memory"),
        "long text": (
            "a text that is longer than the file",
            pickled(b"\x8d" + (1 << 60).to_bytes(8, "little")),
            "does not end",
        ),
        "frame": (
            "a frame that is longer than the file",
            pickled(b"\x95" + (1 << 60).to_bytes(8, "little"), NONE),
            "frame",
        ),
        "memo": ("a memo entry that is not there", pickled(b"j\xff\xff\xff\x7f"), "not there"),
        "stack": ("more taken than there is", pickled(b"\x87"), "not there"),
        "trailing": ("something after the end", pickled(NONE, b".", system), "does not end"),
        "unended": ("a group without an end", pickled(MARK, NONE), "does not end"),
        "deep key": (
            "a key so deep that hashing overruns the stack",
            pickled(nested_tuples(20_000)),
            "levels deep",
        ),
        "doubled key": ("a key whose hash takes 2**40 steps", pickled(doubled_tuples(40)), "very long"),
        "hashes": ("5,000 keys of one hash", pickled(colliding_keys(5_000)), "one hash"),
        "fraction": (
            "a fraction of a million digits",
            pickled(call("fractions:Fraction", text("1" * 1_000_000))),
            "digits",
        ),
        "exponent": (
            "a fraction whose exponent is worked out",
            pickled(call("fractions:Fraction", text("1e1000000000"))),
            "no fraction",
        ),
        "zone by name": (
            "a time zone by name, which pandas would read from any file",
            pickled(
                call(
                    "pandas._libs.tslibs.timestamps:_unpickle_timestamp",
                    number(0),
                    NONE,
                    text("dateutil//dev/zero"),
                    number(10),
                )
            ),
            "no time zone",
        ),
        "function": (
            "a function of ours as a value",
            pickled(name("builtins:getattr")),
            "function as a value",
        ),
        "copies": (
            "100 KB, copied 5,000 times",
            pickled(
                data(bytes(100_000)),
                MEMO,
                name("builtins:bytearray"),
                MEMO,
                b"00](",
                b"h\x01h\x00\x85R" * 5_000,
                b"e",
            ),
            "bytes of memory",
        ),
        "counters": (
            "a dict of 1,000 items, counted 5,000 times",
            pickled(
                mapping(**{f"k{i}": number(i) for i in range(1000)}),
                MEMO,
                name("collections:Counter"),
                MEMO,
                b"00](",
                b"h\x01h\x00\x85R" * 5_000,
                b"e",
            ),
            "bytes of memory",
        ),
        "frames": (
            "one frame, made over and over",
            pickled(
                mapping(start=number(0), stop=number(1), step=number(1), name=NONE),
                MEMO,
                name("pandas:RangeIndex"),
                MEMO,
                name("pandas.core.indexes.base:_new_Index"),
                MEMO,
                b"00" + b"0](",
                b"h\x02h\x01h\x00\x86R" * 10_000,
                b"e",
            ),
            "bytes of memory",
        ),
        "columns": (
            "a frame of 10**12 columns, none of them there",
            pickled(frame(ranges(10**12), ranges(1))),
            "bytes of memory",
        ),
        "ranges": (
            "intervals between two ranges, written out",
            pickled(
                call(
                    "pandas.core.indexes.interval:_new_IntervalIndex",
                    name("pandas:IntervalIndex"),
                    mapping(left=ranges(10**9), right=ranges(10**9), closed=text("left"), name=NONE),
                )
            ),
            "bytes of memory",
        ),
        "printed": (
            "a value that takes 2**40 steps to be printed in a message",
            pickled(
                doubled_value(40),
                b"0",
                name("numpy._core.multiarray:_reconstruct"),
                b"h\x28",
                group(number(0)),
                data(b"b"),
                b"\x87R",
            ),
            "class of arrays",
        ),
        "hashed": (
            "a value that takes 2**40 steps to be hashed, where a class should be",
            pickled(
                doubled_value(40), b"0", name("pandas.core.indexes.base:_new_Index"), b"h\x28", b"}", b"\x86R"
            ),
            "class of indexes",
        ),
        "compared": (
            "a value that takes 2**40 steps to be hashed, where a unit should be",
            pickled(
                doubled_value(40),
                b"0",
                name("pandas:DatetimeTZDtype"),
                b")",
                NEW,
                mapping(unit=b"h\x28", tz=NONE),
                BUILD,
            ),
            "unit of time",
        ),
        "nested arrays": (
            "arrays in arrays, freed without a limit",
            pickled(nested_arrays(200)),
            "levels deep",
        ),
        "facts": (
            "facts so deep that reading them overruns the stack",
            sealed(b"\x80\x05N.", facts=b"[" * 100_000),
            "tail",
        ),
    }
    return {short: Hostile(*entry) for short, entry in (found | FAMILIES).items()}
