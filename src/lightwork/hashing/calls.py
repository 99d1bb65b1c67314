"""One key for one call: which function, in which version of its code, with which arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import InvalidOption
from ..protocols import FUNCTION_BYTES
from .dependencies import Dependencies
from .depends import Dependency, DependsOn
from .digests import BLAKE3
from .fingerprints import Tracker
from .forwards import handed_on
from .names import function_name
from .rules import SCALARS
from .signatures import Signature, read_signature, unwrap
from .summaries import summarise_call
from .values import RULES, SCHEME, token_of
from .walk import Walk, frame

__all__ = ["TRACKS", "CallKey", "CallKeys"]

TRACKS = ("deep", "self", "none")


class CallKey(NamedTuple):
    """The key of one call, and what it was made of."""

    key: bytes
    names: Sequence[str]
    """What the arguments that count are called."""

    tokens: list[bytes]
    """One for each of `names`."""

    code: bytes
    """What stands for the code and for ``depends_on=``, 32 bytes."""

    met: list[Any]  # Any: whatever users pass
    """Functions and classes in the arguments."""

    def changed(self, later: "CallKey") -> list[str]:
        """The names of the arguments that are other ones in the key of the same call, made later."""
        pairs = zip(self.names, self.tokens, later.tokens, strict=True)
        return [name for name, before, after in pairs if before != after]


_SCALAR_WALK = Walk(BLAKE3, RULES)  # rules of scalars use its algorithm and none of its state
_ONE_TOKEN = [frame(b"A", [bytes(length)])[: -length or None] for length in range(66)]
"""What ``frame(b"A", [token])`` begins with, by the length of the token."""

_new_tuple = tuple.__new__


class CallKeys:
    """Makes the keys of the calls of one function.

    Made when a function is decorated: the signature is read then, nothing is hashed. The code fingerprint
    is taken at the first call, since functions that this one uses may be defined below it, and again when
    a name that it was taken from stands for something else. Safe to use from several threads.

    Parameters
    ----------
    function
        Anything that can be called. Partials, bound methods and callable instances are opened, and what
        they hold is part of the key. A method from a class body takes ``self`` as its first argument.
    ignore
        Names of parameters that are left out of the key; ``"*"`` and ``"**"`` stand for extra positional and
        keyword arguments.
    version
        Any scalar or text that is part of the key.
    track
        What of the code is part of the key: ``"deep"`` the function and all user code and simple globals
        that it names, ``"self"`` the function alone, ``"none"`` nothing but `version`.
    key
        ``key(*args, **kwargs)`` gives the value that stands for the arguments in the key. Its code is
        part of the key as that of `function` is.
    user_code
        Names of packages that are followed with ``track="deep"`` although they are installed ones.
    depends_on
        What results depend on besides, whatever `track` says; see `DependsOn`.

    Attributes
    ----------
    depends
        The `DependsOn`, or ``None``.
    function_id
        ``module:qualname``; for ``__main__`` with the file that the code came from.
    prefix
        The first 8 bytes of all keys of this function.
    version
        As given.

    Raises
    ------
    InvalidOption
        `ignore` names no parameter, `track` is unknown, `version` is no scalar or text.
    """

    __slots__ = (
        "_fallback",
        "_function",
        "_head",
        "_hides_owner",
        "_kept",
        "_key",
        "_key_tracker",
        "_lead",
        "_made_from",
        "_names",
        "_plain",
        "_signature",
        "_tracker",
        "depends",
        "function_id",
        "prefix",
        "version",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        ignore: Iterable[str] = (),
        version: str | float | bytes | None = None,
        track: str = "deep",
        key: Callable[..., Any] | None = None,
        user_code: Iterable[str] = (),
        depends_on: Iterable[Dependency] = (),
    ) -> None:
        if not callable(function):
            raise InvalidOption(f"{function!r} cannot be called: give a function")
        if track not in TRACKS:
            raise InvalidOption(f"track={track!r} is not known: give 'deep', 'self' or 'none'")
        if type(version) not in SCALARS:
            raise InvalidOption(
                f"version={version!r} is not a text or number: give one that you change by hand"
            )
        if isinstance(ignore, str):
            raise InvalidOption(f"ignore={ignore!r} is a text: give a list of parameter names, [{ignore!r}]")
        if key is not None and not callable(key):
            raise InvalidOption(f"key={key!r} cannot be called: give a function of the arguments")
        ignore, user_code = tuple(ignore), tuple(user_code)
        depends = DependsOn(depends_on, user_code)
        self.depends = depends if depends.given else None
        self._made_from = (function, ignore, version, track, key, user_code, depends.given)
        self._lead = unwrap(function)
        self._function = self._lead.function
        self._signature, self._fallback = _signatures(self._function)
        self._key = key
        self.version = version
        ignored = _checked_ignore(ignore, self._signature, self._function, key)
        self._names = names = self._signature.names
        self._kept = [(place, name) for place, name in enumerate(names) if name not in ignored]
        # The class of an object is code that its methods use, also where the object does not count.
        self._hides_owner = _is_method(self._function) and (key is not None or bool(ignored & {*names[:1]}))
        opened = self._lead.args or self._lead.kwargs
        self._plain = -1 if ignored or key or opened else self._signature.plain
        self._tracker = Tracker(self._function, track=track, user_code=user_code)
        follows = key is not None and track != "none"
        self._key_tracker = Tracker(key, track=track, user_code=user_code) if follows else None
        self.function_id = function_name(self._function)
        self.prefix = BLAKE3.of(self.function_id.encode())[:FUNCTION_BYTES]
        facts = (self.function_id, version, tuple(name for _, name in self._kept), key is not None)
        self._head = SCHEME + token_of(facts, path="version")

    def key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """The key of one call, 32 bytes: `prefix`, then 24 over code, version and bound arguments.

        Raises
        ------
        TypeError
            The function could not be called so.
        UnhashableError
            An argument has no key; the message names the parameter and the path inside it.
        OSError
            A `File` cannot be read.
        """
        return self.call(args, kwargs).key

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "CallKey":
        """The key of one call with what it was made of. Errors as from `key`."""
        if not kwargs and len(args) == self._plain:
            if len(args) == 1 and (rule := SCALARS.get(type(args[0]))) is not None:
                tokens = [token := rule(_SCALAR_WALK, args[0])]
                return self._sealed(self._names, tokens, _ONE_TOKEN[len(token)] + token, [])
            met: list[Any] = []
            tokens = _tokens(self._names, args, met)
            return self._sealed(self._names, tokens, frame(b"A", tokens), met)
        met = []
        names, tokens = self._bound_tokens(args, kwargs, met)
        return self._sealed(names, tokens, frame(b"A", tokens), met)

    def _sealed(self, names: Sequence[str], tokens: list[bytes], framed: bytes, met: list[Any]) -> "CallKey":
        """The key of a call from the tokens of its arguments; `framed` is ``frame(b"A", tokens)``."""
        code = self._code(met)
        key = self.prefix + BLAKE3.of(self._head + code + framed)[:24]
        return _new_tuple(CallKey, (key, names, tokens, code, met))  # half the time of `CallKey(...)`

    def carried(self, made: Sequence[Any]) -> "CallKey | None":
        """A key that was made in another process, without `CallKey.met`, which was empty.

        ``None`` if the code is another one here: then it is no key of this function.
        """
        key = CallKey._make([*made, []])
        return key if key.code == self._code([]) else None

    def __reduce__(self) -> tuple[Any, ...]:
        """What was read off the function is read again where it arrives."""
        return _rebuild, self._made_from

    @property
    def head(self) -> bytes:
        """What keys of the function contain beside code and arguments: its name and ``version=``."""
        return self._head

    def dependencies(self) -> Dependencies:
        """What code and globals are tracked, and what is named but not tracked, with the reason."""
        found = self._tracker.dependencies()
        if self._key_tracker is not None:
            found = found.joined(self._key_tracker.dependencies())
        if self.depends is not None:
            found = found.joined(Dependencies(self.depends.texts(), []))
        return found

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that count, by the `CallKey.names`; nothing if ``key=`` stands for them."""
        if self._key is not None:
            return {}
        try:
            values = self._signature.bind((*self._lead.args, *args), {**self._lead.kwargs, **kwargs})
        except TypeError:  # of a form of its own
            return {}
        return {_shown(name): values[place] for place, name in self._kept}

    def code(self) -> bytes:
        """What `CallKey.code` is for arguments without functions and classes in them."""
        return self._code([])

    def parts(self, call: "CallKey | None" = None) -> dict[str, bytes]:
        """Tokens of the functions, values and files that stand behind `CallKey.code`, by their names.

        Without a `call` those of `code`.
        """
        found = self._tracker.parts(() if call is None else call.met)
        if self._key_tracker is not None:
            found = {**self._key_tracker.parts(), **found}
        return found if self.depends is None else {**self.depends.parts(), **found}

    def summary(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The call as text of at most 200 characters; values of foreign types by type and shape only."""
        return summarise_call(self._function, args, kwargs)

    def _code(self, met: list[Any]) -> bytes:
        code = self._tracker.fingerprint_with(met) if met else self._tracker.fingerprint()
        if self._key_tracker is not None:
            code = BLAKE3.of(code + self._key_tracker.fingerprint())
        return code if self.depends is None else BLAKE3.of(code + self.depends.token())

    def _bound_tokens(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], met: list[Any]
    ) -> tuple[Sequence[str], list[bytes]]:
        """What the arguments that count are called, in the order of the signature, and their tokens."""
        names: Sequence[str]
        lead = self._lead
        if self._hides_owner and (lead.args or args):
            owner = (*lead.args, *args)[0]
            met.append(owner if isinstance(owner, type) else type(owner))
        if self._key is not None:
            names = ("key(...)",)
            return names, _tokens(names, [self._key(*args, **kwargs)], met)
        args = (*lead.args, *args)
        kwargs = {**lead.kwargs, **kwargs} if lead.kwargs else kwargs
        try:
            values = self._signature.bind(args, kwargs)
        except TypeError:
            if self._fallback is None:
                raise
            # A wrapper that takes anything may take more than what it wraps.
            names = ("args", "kwargs")
            return ("form", *names), [b"*", *_tokens(names, self._fallback.bind(args, kwargs), met)]
        names = [_shown(name) for _, name in self._kept]
        return names, _tokens(names, [values[place] for place, _ in self._kept], met)


def _rebuild(
    function: Any, ignore: Any, version: Any, track: str, key: Any, user_code: Any, depends_on: Any
) -> CallKeys:
    return CallKeys(
        function,
        ignore=ignore,
        version=version,
        track=track,
        key=key,
        user_code=user_code,
        depends_on=depends_on,
    )


def _tokens(names: Sequence[str], values: Sequence[Any], met: list[Any]) -> list[bytes]:
    """One token per value; the classes and functions in them are added to `met`."""
    tokens = []
    for name, value in zip(names, values, strict=True):
        rule = SCALARS.get(type(value))
        if rule is not None:
            tokens.append(rule(_SCALAR_WALK, value))
        else:
            tokens.append(token_of(value, path=name, visit=met.append))
    return tokens


def _shown(name: str) -> str:
    """What an error calls a bound value: extra arguments have no name."""
    return {"*": "args", "**": "kwargs"}.get(name, name)


def _is_method(function: Any) -> bool:
    """Whether a function was written in the body of a class."""
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    return bool(owner) and not owner.endswith("<locals>")


def _signatures(function: Any) -> tuple[Signature, Signature | None]:
    """The signature that calls are bound to, and the one that is left if they do not fit it.

    A wrapper that provably hands on what it gets (see `handed_on`) is bound like what it wraps, so that
    parameters keep their names. Any other one may tell ``f(1)`` from ``f(1, b=2)``: there calls count as
    they are written.
    """
    outer = read_signature(function)
    inner = function
    while (wrapped := handed_on(inner)) is not None:
        inner = wrapped
    signature = read_signature(inner)
    return (outer, None) if signature.names == outer.names else (signature, outer)


def _checked_ignore(
    ignore: tuple[str, ...], signature: Signature, function: Any, key: object
) -> frozenset[str]:
    for name in ignore:
        if name not in signature.names:
            raise InvalidOption(
                f"ignore names {name!r}, which is no parameter of {signature.title}: it has "
                f"{', '.join(signature.names) or 'none'}{_advice(function)}"
            )
    if ignore and key is not None:
        raise InvalidOption("ignore= and key= exclude each other: let key= leave out what shall be ignored")
    return frozenset(ignore)


def _advice(function: Any) -> str:
    """What to do about a decorator that hides the names of parameters."""
    if getattr(function, "__wrapped__", None) is None:
        return ""
    return "; its decorator may change what it passes on: cache what is below the decorator, or use key="
