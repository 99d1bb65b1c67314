"""Rules that users give to types (`register_hash`), here and in the processes that their calls run in.

A rule travels as the pickle of its class and itself, under the name of the class. It is built when a value of
that class is met: a worker that never sees one does not import the library behind it.
"""

import pickle
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .names import class_name

__all__ = ["REGISTERED", "Pickled", "Registered"]

UserRule: TypeAlias = Callable[[Any], Any]  # Any: a value of the class, and what stands for its content
Pickled: TypeAlias = tuple[bytes, list[bytearray]]
"""The pickle of ``(class, rule)``, and its buffers."""


class Registered:
    """The rules of one process: those registered in it, and those that came from the process it works for.

    Registering and adopting are atomic; what a type was found to have may be remembered by others until then.
    """

    __slots__ = ("_built", "_own", "_sent")

    def __init__(self) -> None:
        self._own: dict[type, UserRule] = {}
        self._sent: Mapping[str, Pickled] = {}
        self._built: dict[str, tuple[type, UserRule]] = {}

    def add(self, cls: type, rule: UserRule) -> None:
        """Use `rule` for a class and what is derived from it."""
        self._own[cls] = rule

    def of(self, cls: type) -> UserRule | None:
        """The rule of the nearest base that has one; here goes before what was sent."""
        for base in cls.__mro__:
            rule = self._own.get(base) or self._sent_for(base)
            if rule is not None:
                return rule
        return None

    def rules(self) -> dict[type, UserRule]:
        """What was registered in this process."""
        return dict(self._own)

    def adopt(self, pickled: Mapping[str, Pickled]) -> bool:
        """Take over the rules of another process in the place of those taken over before; whether any differ.

        The names are those of the classes, as `class_name` gives them.
        """
        if pickled == self._sent:
            return False
        self._sent, self._built = dict(pickled), {}
        return True

    def _sent_for(self, cls: type) -> UserRule | None:
        if not self._sent or class_name(cls) not in self._sent:
            return None
        name = class_name(cls)
        if name not in self._built:
            skeleton, buffers = self._sent[name]
            self._built[name] = pickle.loads(skeleton, buffers=buffers)
        known, rule = self._built[name]
        return rule if known is cls else None


REGISTERED = Registered()
