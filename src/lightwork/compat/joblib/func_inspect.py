"""What joblib knows of functions: their names and sources, and the arguments of a call by name."""

import functools
import hashlib
import inspect
import os
import re
import tokenize
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

from .logger import pformat

__all__ = ["filter_args", "format_call", "format_signature", "get_func_code", "get_func_name"]

# Any: callables, arguments and results are the user's.
Function: TypeAlias = Callable[..., Any]

_DOCTEST = re.compile(r"<doctest (?P<file>.*\.rst)\[(?P<line>\d+)\]>")
_IPYTHON_CELL = re.compile(r"<ipython-input-\d+-")
_LONGEST, _KEPT = 1500, 700  # characters of an argument's text; how many of them are shown
_LINE = 80


def get_func_code(func: Function) -> tuple[str, str | None, int]:
    """The source of a function, its file, and the number of its first line.

    The file is read each time, so that this is what it holds now. Without a source the text is a digest of
    the code; without a code it is the `repr`. Then the line is -1.
    """
    code = getattr(func, "__code__", None)
    if not isinstance(code, types.CodeType):
        return repr(func), None, -1
    file = code.co_filename
    try:
        if os.path.exists(file):
            with tokenize.open(file) as lines:
                block = inspect.getblock(lines.readlines()[code.co_firstlineno - 1 :])
            return "".join(block), file, code.co_firstlineno
        text = "".join(inspect.getsourcelines(func)[0])
    except (OSError, SyntaxError, TypeError, IndexError, UnicodeDecodeError):
        # A file that is no source, that has changed, or a console.
        return _code_digest(code), file, -1
    if found := _DOCTEST.match(file):
        return text, f"<doctest {found['file']}>", int(found["line"])
    return text, file, 1


def _code_digest(code: types.CodeType) -> str:
    """What a code does, as hexadecimal digits: the same in every process, wherever its source was."""
    parts = [code.co_name, code.co_code.hex(), code.co_exceptiontable.hex()]
    parts += [*code.co_names, *code.co_varnames, *code.co_cellvars, *code.co_freevars]
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    parts += [repr(count) for count in counts]
    parts += [_code_digest(it) if isinstance(it, types.CodeType) else repr(it) for it in code.co_consts]
    return hashlib.md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()


def get_func_name(
    func: Function, resolv_alias: bool = True, win_characters: bool = True
) -> tuple[list[str], str]:
    """The parts of a function's module, with what the function is nested in, and its name.

    Functions of ``__main__`` have the path of its file in the module. `resolv_alias` is for joblib's
    signature: it has no effect there either.
    """
    module = _module_of(func)
    if module == "__main__" and (file := _file_of(func)):
        module = f"{module}-{file}"
    parts = module.split(".")
    name = getattr(func, "__name__", "unknown")
    qualname = getattr(func, "__qualname__", name)
    if qualname != name:
        parts.extend(qualname.split(".")[:-1])
    if os.name == "nt" and win_characters:
        return [_clean_win_chars(part) for part in parts], _clean_win_chars(name)
    return parts, name


def _module_of(func: Function) -> str:
    if hasattr(func, "__module__"):
        return func.__module__ or ""
    module = inspect.getmodule(func)
    return module.__name__ if module else getattr(type(func), "__module__", "unknown")


def _file_of(func: Function) -> str:
    """The path of the file of a function as one word, without what differs between two starts of a kernel."""
    try:
        path = inspect.getsourcefile(func)
    except TypeError:
        return ""
    if path is None:
        return ""
    parts = os.path.abspath(path).split(os.sep)
    parts[-1] = _IPYTHON_CELL.sub("<ipython-input-", parts[-1])
    if len(parts) > 1 and parts[-2].startswith("ipykernel_"):
        parts[-2] = "ipykernel"
    return "-".join(parts).removesuffix(".py")


def _clean_win_chars(string: str) -> str:
    """A text without the characters that names of files must not have on Windows."""
    for character in "<>!:\\":
        string = string.replace(character, quote(character))
    return string


def filter_args(
    func: Function,
    ignore_lst: Sequence[str],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] = types.MappingProxyType({}),
) -> dict[str, Any]:
    """The arguments of a call by the names of the parameters, with defaults, without those to ignore.

    More positional ones are a list under ``"*"``, more named ones a dictionary under ``"**"``. The instance
    of a bound method counts as its first argument. Objects without a signature have only the two.

    Raises
    ------
    ValueError
        The call does not fit the function, or `ignore_lst` names what is not there.
    """
    args, kwargs = list(args), dict(kwargs)
    if isinstance(ignore_lst, str):
        raise ValueError(
            "ignore_lst must be a list of parameters to ignore "
            f"{ignore_lst} (type {type(ignore_lst)}) was given"
        )
    if not inspect.ismethod(func) and not inspect.isfunction(func):
        if ignore_lst:
            warnings.warn(f"Cannot inspect object {func}, ignore list will not work.", stacklevel=2)
        return {"*": args, "**": kwargs}
    named = _bind(func, args, kwargs)
    for name in ignore_lst:
        if name not in named:
            signature = f"{get_func_name(func)[1]}{inspect.signature(func)}"
            raise ValueError(f"Ignore list: argument '{name}' is not defined for function {signature}")
        del named[name]
    return named


def _bind(func: Function, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    call = functools.partial(_call_text, func, list(args), dict(kwargs))
    parameters = list(inspect.signature(func).parameters.values())
    if inspect.ismethod(func):
        args = [func.__self__, *args]
        parameters.insert(0, next(iter(inspect.signature(func.__func__).parameters.values())))
    named = {it.name: it.default for it in parameters if it.default is not inspect.Parameter.empty}
    positional = [it for it in parameters if it.kind in (it.POSITIONAL_ONLY, it.POSITIONAL_OR_KEYWORD)]
    for parameter, value in zip(positional, args, strict=False):
        named[parameter.name] = value
        if parameter.name in kwargs and parameter.kind is not parameter.POSITIONAL_ONLY:
            raise ValueError(
                f"Argument {parameter.name} was given both as positional and as keyword for {call()}"
            )
    if len(args) > len(positional) and all(it.kind is not it.VAR_POSITIONAL for it in parameters):
        raise ValueError(f"Too many arguments for {call()}")
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            named["*"] = args[len(positional) :]
        elif parameter.kind is parameter.VAR_KEYWORD:
            named["**"] = dict(sorted(kwargs.items()))
            kwargs = {}
        elif parameter.name in kwargs and parameter.kind is not parameter.POSITIONAL_ONLY:
            named[parameter.name] = kwargs.pop(parameter.name)
        elif parameter.name not in named:
            raise ValueError(f"Wrong number of arguments for {call()}")
    if kwargs:
        raise ValueError(f"Too many keyword arguments for {call()}")
    return named


def _call_text(func: Function, args: list[Any], kwargs: dict[str, Any]) -> str:
    """A function with its signature, and how it was called."""
    name = get_func_name(func)[1]
    given = [repr(value) for value in args] + [f"{key}={value!r}" for key, value in kwargs.items()]
    return f"{name}{inspect.signature(func)}:\n    {name}({', '.join(given)}) was called."


def format_signature(func: Function, *args: Any, **kwargs: Any) -> tuple[str, str]:
    """The path of a function, and a call of it as text, long arguments cut short."""
    module, name = get_func_name(func)
    texts: list[str] = []
    for value in args:  # what follows a long one begins a new line
        begin = "\n" if texts and len(texts[-1]) > _LINE else ""
        texts.append(begin + _argument_text(value))
    texts += [f"{key}={_argument_text(value)}" for key, value in kwargs.items()]
    return ".".join([*filter(None, module), name]), f"{name}({', '.join(texts)})"


def _argument_text(value: Any) -> str:
    text = pformat(value, indent=2)
    return f"{text[:_KEPT]}..." if len(text) > _LONGEST else text


def format_call(
    func: Function, args: Sequence[Any], kwargs: Mapping[str, Any], object_name: str = "Memory"
) -> str:
    """What is printed before a call: a line, who calls what, and with which arguments."""
    path, signature = format_signature(func, *args, **kwargs)
    return f"{'_' * _LINE}\n[{object_name}] Calling {path}...\n{signature}"
