"""Globals that hold objects and arrays, changed defaults: no call gets a result of an older state."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lightwork.hashing.calls import CallKeys

SETUP = """
import argparse, dataclasses, enum, functools, threading, types
import numpy as np
@dataclasses.dataclass
class Data:
    lr: float
@dataclasses.dataclass(frozen=True)
class Frozen:
    lr: float
class Plain:
    def __init__(self, lr): self.lr = lr
    def plain(self): return self.lr
    def bump(self): self._add()
    def _add(self): self.calls.append(1)
    calls = ()
    @functools.cached_property
    def double(self): return self.lr * 2
class Slots:
    __slots__ = ("lr", "unset")
    def __init__(self, lr): self.lr = lr
class Empty:
    lr = 1
class Unfilled:
    __slots__ = ("lr",)
class Nested:
    def __init__(self, lr): self.inner = {"a": [Plain(lr)]}
class Locked:
    def __init__(self, lr): self.lr, self.lock = lr, threading.Lock()
class Text(str): pass
class Wide(np.float64): pass
class Slotted(str): __slots__ = ("lr",)
class Mode(enum.Enum):
    A = 1
    B = [1]
    C = [1]
class Broken(dict):
    def __reduce_ex__(self, protocol): raise RuntimeError("no")
"""


def job(text: str) -> dict[str, Any]:
    """The names of a script."""
    space: dict[str, Any] = {"__name__": "job"}
    exec(SETUP + text, space)
    return space


def keys_of(space: dict[str, Any]) -> Callable[[], bytes]:
    keys = CallKeys(space["f"])
    return lambda: keys.key((), {})


@pytest.mark.parametrize(
    "made",
    [
        "Data({})",
        "Frozen({})",
        "Plain({})",
        "Slots({})",
        "Nested({})",
        "types.SimpleNamespace(lr={})",
        "argparse.Namespace(lr={})",
        "[Plain({})]",
        "Plain({}).plain",
        "np.array([{}])",
        "[1, np.array([{}])]",
        "(1, np.array([{}]))",
        "{{'a': np.array([{}]), 'lock': threading.Lock()}}",
        "{{'lr': {}, 'big': np.zeros(100_000), 'o': Locked(1)}}",
    ],
)
def test_a_global_counts_by_its_content(made: str) -> None:
    """Bound to another content gives another key, to an equal one the same key."""
    space = job(f"cfg = {made.format(0.1)}\ndef f(): return cfg.lr")
    key = keys_of(space)
    first = key()
    exec(f"cfg = {made.format(0.5)}", space)
    assert key() != first
    exec(f"cfg = {made.format(0.1)}", space)
    assert key() == first
    assert any("cfg" in line for line in CallKeys(space["f"]).dependencies().tracked)


@pytest.mark.parametrize(
    ("made", "change"),
    [
        ("Data(0.1)", "cfg.lr = 0.5"),
        ("Slots(0.1)", "cfg.lr = 0.5"),
        ("Nested(0.1)", "cfg.inner['a'][0].lr = 0.5"),
        ("types.SimpleNamespace(lr=1)", "cfg.lr = 0.5"),
        ("Plain(2).plain", "cfg.__self__.lr = 0.5"),
        ("Empty()", "cfg.lr = 0.5"),
        ("Unfilled()", "cfg.lr = 0.5"),
        ("types.SimpleNamespace()", "cfg.lr = 0.5"),
        ("[Empty()]", "cfg[0].lr = 0.5"),
        ("Empty().__eq__", "cfg.__self__.lr = 0.5"),
        ("Plain(2)", "cfg.double = 0.5"),
        ("Text('a')", "cfg.lr = 0.5"),
        ("Slotted('a')", "cfg.lr = 0.5"),
        ("Wide(1)", "cfg.lr = 0.5"),
        ("(1, Text('a'))", "cfg[1].lr = 0.5"),
        ("[Text('a')]", "cfg[0].lr = 0.5"),
        ("Mode.A", "cfg.lr = 0.5"),
        ("Mode", "cfg.A.lr = 0.5"),
        ("(1, Mode.A)", "cfg[1].lr = 0.5"),
        ("{'a': Mode.A}", "cfg['a'].lr = 0.5"),
        ("Mode.B", "cfg.value.append(5)"),
        ("Mode", "cfg.B.value.append(5)"),
        ("Plain(Mode.B)", "cfg.lr.value.append(5)"),
        ("np.zeros(8)", "cfg[3] = 1"),
        ("[np.zeros(8), threading.Lock()]", "cfg[0][3] = 1"),
    ],
)
def test_a_change_from_outside_is_seen(made: str, change: str) -> None:
    """Also one that leaves the name bound to the same object."""
    space = job(f"cfg = {made}\ndef f(): return cfg.lr")
    key = keys_of(space)
    first = key()
    exec(change, space)
    assert key() != first


def test_a_captured_instance_that_was_empty_is_looked_at_again() -> None:
    """As one that had attributes from the beginning."""
    space = job("cfg = Empty()\ndef make(cfg):\n    def f(): return cfg.lr\n    return f\nf = make(cfg)")
    key = keys_of(space)
    first = key()
    space["cfg"].lr = 0.5
    assert key() != first


@pytest.mark.parametrize(
    ("made", "body"),
    [
        ("Plain(0)", "cfg.lr += 1"),
        ("Plain(0)", "cfg.bump()"),
        ("[Plain(0)]", "cfg[0].bump()"),
        ("[Plain(0)]", "other = cfg[0]; other.bump()"),
        ("np.zeros(3)", "cfg[0] += 1"),
        ("np.zeros(3)", "cfg.fill(7)"),
        ("Locked(0)", "cfg.lr"),
        ("np.zeros(100_000)", "cfg.sum()"),
        ("Broken()", "len(cfg)"),
    ],
)
def test_what_the_code_changes_or_has_no_content_is_not_tracked(made: str, body: str) -> None:
    """The next call is a hit, and ``dependencies`` names what was left out."""
    space = job(f"cfg = {made}\ndef f(): {body}")
    Plain = space["Plain"]
    Plain.calls = []
    key = keys_of(space)
    first = key()
    space["f"]()
    if "bump" not in body:
        assert key() == first
    assert any("cfg" in line for line in CallKeys(space["f"]).dependencies().untracked)


def test_members_of_enumerations_can_hold_each_other() -> None:
    """The survey ends, and sees what they are given later."""
    space = job("cfg = Mode.A\nMode.A.next, Mode.C.next = Mode.C, Mode.A\ndef f(): return cfg.next")
    key = keys_of(space)
    first = key()
    assert key() == first
    space["Mode"].C.lr = 1
    assert key() != first


def test_reading_changes_a_key_once() -> None:
    """A ``cached_property`` leaves a value in its object, which may be older than the rest of it."""
    space = job("cfg = Plain(2)\ndef f(): return cfg.double")
    key = keys_of(space)
    first = key()
    space["f"]()
    second = key()
    assert first != second
    space["f"]()
    assert key() == second


def test_a_content_that_cannot_be_hashed_any_more_is_no_error() -> None:
    """A dict that gets a lock while the program runs."""
    space = job("cfg = {'a': 1}\ndef f(): return cfg['a']")
    key = keys_of(space)
    key()
    exec("cfg['lock'] = threading.Lock()\ncfg['self'] = cfg", space)
    assert len(key()) == 32


@pytest.mark.parametrize(
    ("define", "change"),
    [
        ("def helper(n=1): return n", "helper.__defaults__ = (50,)"),
        ("def helper(*, n=1): return n", "helper.__kwdefaults__ = {'n': 50}"),
        ("def helper(*, n=1): return n", "helper.__kwdefaults__['n'] = 50"),
    ],
)
@pytest.mark.parametrize("track", ["deep", "self", "none"])
def test_changed_defaults_are_seen(define: str, change: str, track: str) -> None:
    """Of the function itself whatever is tracked, of helpers if they are followed."""
    space = job(f"{define}\ndef f(): return helper()")
    outer = CallKeys(space["f"], track=track)
    own = CallKeys(space["helper"], track=track)
    first, second = outer.key((), {}), own.key((), {})
    exec(change, space)
    assert (outer.key((), {}) != first) == (track == "deep")
    assert own.key((), {}) != second == CallKeys(job(define)["helper"], track=track).key((), {})


def test_methods_of_objects_written_in_c_have_keys_with_their_state() -> None:
    """The state of a generator of random numbers is part of the key, as it is at the call."""
    generator = np.random.default_rng(1)
    keys = CallKeys(generator.normal)
    first = keys.key((), {})
    assert keys.key((), {}) == first == CallKeys(np.random.default_rng(1).normal).key((), {})
    generator.normal()
    assert keys.key((), {}) != first
    assert CallKeys(generator.uniform).key((), {}) != keys.key((), {})
