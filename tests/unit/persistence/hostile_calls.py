"""Hostile files that call what is not admitted, somewhere."""

import os

import pandas as pd

from lightwork import dumps
from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MARK,
    MEMO,
    NEW,
    NONE,
    REDUCE,
    Reduced,
    array,
    call,
    data,
    group,
    name,
    object_array,
    pickled,
    text,
)

CANARY = "lightwork_canary"
"""A module that leaves a mark when it is imported, put into the path by the test."""


def _frame_with_attrs(mark: str) -> bytes:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["x"] = Reduced(os.system, (f"touch {mark}",))
    return dumps(frame, compress=True)


def calls(mark: str) -> dict[str, tuple[str, bytes, str]]:
    """By a short name. `mark` is a file that the code in them would make if it ran."""
    command = text(f"touch {mark}")
    system = call("os:system", command)
    code = text(f"open({mark!r}, 'w')")
    return {
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
    }
