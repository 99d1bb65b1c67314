"""The code of a function as it stands now, in 32 bytes.

Taken by a `Survey` at the first call, and again when the sweep that runs on each call finds that a name, a
code object, a captured variable or a class attribute that the survey looked at is another one now.
"""

from collections import ChainMap
from collections.abc import Callable, Sequence
from operator import attrgetter, is_, itemgetter
from types import ModuleType
from typing import Any, TypeAlias

from .dependencies import Dependencies
from .digests import BLAKE3
from .installed import installed_library
from .library import is_users
from .live import Live
from .summaries import summarise
from .survey import Survey
from .values import RULES, token_of
from .walk import Walk, frame

__all__ = ["Tracker"]

REMEMBERED = 256
"""Functions and classes from arguments whose trackers are kept, per function."""

_Told: TypeAlias = tuple[frozenset[tuple[int, str]], frozenset[str], frozenset[str]]
"""What a survey is told of the one before: what is written to, what is called, what is read off modules."""
_NOTHING: _Told = (frozenset(), frozenset(), frozenset())

_CONTENT = attrgetter("cell_contents")


class Snapshot:
    """What a survey found, and a quick answer to whether it still holds.

    `tokens` are those of the `live` values when the survey was taken; only kept if functions in them were
    followed. Nothing else changes once it is made.
    """

    __slots__ = (
        "_absent",
        "_cells",
        "_contents",
        "_functions",
        "_names",
        "_sizes",
        "_spaces",
        "digest",
        "holds_code",
        "live",
        "survey",
        "tokens",
    )

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.digest = BLAKE3.of(frame(b"survey", survey.tokens))
        self.live: list[Live] = survey.live
        self.holds_code = any(live.holds_code for live in survey.live)
        self.tokens: list[bytes] = []
        watched = survey.watched
        self._names = [_group(space, held) for space, held in watched.names.values()]
        self._absent = _by_space(watched.absent)
        self._spaces = watched.spaces
        self._sizes = list(map(len, watched.spaces))
        self._functions = [
            (function, function.__code__, function.__defaults__, function.__kwdefaults__)
            for function in watched.functions
        ]
        self._cells = [cell for cell, _ in watched.cells]
        self._contents = [content for _, content in watched.cells]

    def holds(self) -> bool:
        """Whether every name, code object, default and cell still is what it was; by identity."""
        # Groups that are empty are passed over: an empty `all(map(...))` costs 0.3 µs, of a hit's twelve.
        try:
            for function, code, defaults, keyword_defaults in self._functions:
                if (
                    function.__code__ is not code
                    or function.__defaults__ is not defaults
                    or function.__kwdefaults__ is not keyword_defaults
                ):
                    return False
            for get, space, expected in self._names:
                if not all(map(is_, get(space), expected)):
                    return False
            if self._cells and not all(map(is_, map(_CONTENT, self._cells), self._contents)):
                return False
            if self._spaces and list(map(len, self._spaces)) != self._sizes:
                return False
            for space, names in self._absent:
                if not space.keys().isdisjoint(names):
                    return False
        except (KeyError, ValueError):  # a name or the content of a cell was deleted
            return False
        return True


def _tokens(snapshot: Snapshot) -> list[bytes]:
    """The tokens, now, of the values that can change in place."""
    return [live.token() for live in snapshot.live]


def _group(space: Any, held: dict[str, Any]) -> tuple[Callable[[Any], Any], Any, tuple[Any, ...]]:
    """Getter, namespace and values for the watched names of one namespace."""
    names = list(held)
    if len(names) == 1:
        names *= 2  # `itemgetter` of one name gives no tuple
    return itemgetter(*names), space, tuple(held[name] for name in names)


def _by_space(absent: list[tuple[dict[str, Any], str]]) -> list[tuple[dict[str, Any], frozenset[str]]]:
    """Each namespace once, with all names that are not in it."""
    found: dict[int, tuple[dict[str, Any], set[str]]] = {}
    for space, name in absent:
        found.setdefault(id(space), (space, set()))[1].add(name)
    return [(space, frozenset(names)) for space, names in found.values()]


class Tracker:
    """The fingerprint of one function.

    Safe to use from several threads: two that find a change at once both take a new survey, with the same
    outcome.
    """

    __slots__ = ("_function", "_known", "_library", "_met", "_packages", "_track")

    def __init__(self, function: Any, *, track: str, user_code: tuple[str, ...]) -> None:
        self._function = function
        self._track = track
        module = getattr(function, "__module__", None)
        home = module.partition(".")[0] if isinstance(module, str) else ""
        # To follow the code of a library takes seconds, and says no more than its version does.
        self._library = None if home in user_code else installed_library(module)
        self._packages = frozenset((home, *user_code) if self._library is None else user_code) - {""}
        self._known: Snapshot | None = None
        self._met: dict[int, tuple[Any, Tracker | None]] = {}

    def fingerprint(self) -> bytes:
        """32 bytes that change when what is tracked changes."""
        if self._track == "none":
            return bytes(32)
        known = self._known
        if known is None or not known.holds():
            known = self._known = self._survey()
        if not known.live:
            return known.digest
        tokens = _tokens(known)
        if known.holds_code and tokens != known.tokens:
            known = self._known = self._survey()
            tokens = _tokens(known)
            known.tokens = tokens
        return BLAKE3.of(known.digest + frame(b"live", tokens))

    def fingerprint_with(self, met: list[Any]) -> bytes:
        """As `fingerprint`, with the user's functions and classes that came inside the arguments."""
        own = self.fingerprint()
        if self._track != "deep":
            return own
        trackers = filter(None, map(self._tracker_of, met))
        others = {tracker.fingerprint() for tracker in trackers}
        return BLAKE3.of(own + frame(b"met", sorted(others))) if others else own

    def parts(self, met: Sequence[Any] = ()) -> dict[str, bytes]:
        """Tokens of what `fingerprint_with` is made of now, by their names."""
        if self._track == "none":
            return {}
        self.fingerprint()
        known = self._known or self._survey()
        live = {each.path: each.token() for each in known.live}
        trackers = map(self._tracker_of, met) if self._track == "deep" else ()
        others = [tracker.parts() for tracker in trackers if tracker is not None]
        return dict(ChainMap(known.survey.parts, live, *others))

    def dependencies(self) -> Dependencies:
        """What is tracked and what is named but not tracked, as texts; as it stands now."""
        if self._track == "none":
            return Dependencies([], ["all code: track='none'"])
        self.fingerprint()
        survey = (self._known or self._survey()).survey
        constants = [f"{path} = {summarise(value)}" for (path, _), value in survey.constants.items()]
        return Dependencies([*survey.tracked, *constants], list(survey.untracked))

    def _survey(self) -> Snapshot:
        survey = self._survey_once(_NOTHING)
        told = _NOTHING
        while (told is _NOTHING and (survey.written or survey.live)) or not survey.could_be <= told[2]:
            told = frozenset(survey.written), frozenset(survey.called), survey.could_be | told[2]
            survey = self._survey_once(told)
        return Snapshot(survey)

    def _survey_once(self, told: _Told) -> Survey:
        written, called, could_be = told
        survey = Survey(
            Walk(BLAKE3, RULES),
            self._packages,
            deep=self._track == "deep",
            written=written,
            called=called,
            could_be=could_be,
        )
        survey.run(self._function)
        if self._library is not None:
            package, version = self._library
            name = f"the package {package}"
            survey.parts[name] = token = token_of(version, path=name)
            survey.tokens.append(token)
            survey.tracked.append(f"{package} {version} (an installed package)")
        return survey

    def _tracker_of(self, thing: Any) -> "Tracker | None":
        """The tracker of a function or class from an argument; ``None`` for those of libraries."""
        known = self._met.get(id(thing))
        if known is not None and known[0] is thing:
            return known[1]
        home = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
        followed = is_users(home, self._packages)
        tracker = Tracker(thing, track="deep", user_code=tuple(self._packages)) if followed else None
        if len(self._met) >= REMEMBERED:
            self._met.clear()
        self._met[id(thing)] = (thing, tracker)
        return tracker
