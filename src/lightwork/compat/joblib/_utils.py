"""joblib's small parts of `Parallel`: arithmetic of ``pre_dispatch``, sentinels, errors that travel."""

import traceback
from collections.abc import Callable
from typing import Any

from ...errors import InvalidOption, RemoteTraceback
from ...parallel.arithmetic import evaluate

__all__ = ["eval_expr"]


def eval_expr(expr: str) -> float:
    """The value of an expression of numbers, ``+ - * / // % **`` and parentheses.

    Raises
    ------
    ValueError
        It is something else, longer than 30 characters, or a value on the way is too large.
    """
    try:
        return evaluate(expr, 1)
    except InvalidOption as error:
        raise ValueError(str(error)) from error


class _Sentinel:
    """An argument that was not given, and what it then is."""

    def __init__(self, default_value: object = None) -> None:
        self.default_value = default_value

    def __repr__(self) -> str:
        return f"default({self.default_value!r})"


class _TracebackCapturingWrapper:
    """Calls a function in another process; an error comes back with its traceback as text."""

    def __init__(self, func: Callable[..., Any]) -> None:  # Any: users' functions
        self.func = func

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.func(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is the result, raised again where it is unpacked
            return _ExceptionWithTraceback(error)


class _ExceptionWithTraceback:
    """An error on its way from a worker: it is rebuilt with the traceback as its cause."""

    def __init__(self, exc: BaseException) -> None:
        self.exc = exc
        self.tb = "".join(traceback.format_exception(exc))
        exc.__traceback__ = None  # frames cannot travel, and would keep the arguments alive

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.exc, self.tb)


class _Rebuilt:
    """An error that has arrived."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _rebuilt(error: BaseException, text: str) -> _Rebuilt:
    error.__cause__ = RemoteTraceback(text)
    return _Rebuilt(error)


def _retrieve_traceback_capturing_wrapped_call(out: Any) -> Any:
    """What a `_TracebackCapturingWrapper` returned, or the error that it sent."""
    if isinstance(out, _Rebuilt):
        raise out.error
    if isinstance(out, _ExceptionWithTraceback):  # the call ran in this process
        error = out.exc
        error.__cause__ = RemoteTraceback(out.tb)
        raise error
    return out
