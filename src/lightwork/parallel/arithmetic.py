"""The arithmetic of ``pre_dispatch="2 * n_jobs"``: numbers and operators, never `eval`."""

import operator
import re
from collections.abc import Callable
from functools import partial

from ..errors import InvalidOption

__all__ = ["evaluate"]

_LONGEST = 30  # characters
_GREATEST = 10**6  # of any value on the way; it keeps powers small as well

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)|(\*\*|//|[-+*/%()]))", re.IGNORECASE)
_OPERATORS: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "//": (2, operator.floordiv),
    "%": (2, operator.mod),
    "**": (4, operator.pow),
}
_SIGN = 3  # binds more loosely than a power: -2 ** 2 is -4


def evaluate(text: str, n_jobs: int) -> float:
    """The value of an expression of numbers, ``n_jobs``, ``+ - * / // % **`` and parentheses.

    Raises
    ------
    InvalidOption
        Anything else, more than 30 characters, or a value beyond a million on the way.
    """
    expression = text.replace("n_jobs", str(n_jobs))
    if len(text) > _LONGEST:
        raise InvalidOption(f"pre_dispatch={text!r} is too long: at most {_LONGEST} characters")
    parser = _Parser(expression, text)
    value = parser.expression(0)
    if parser.tokens:
        raise parser.error()
    return value


class _Parser:
    """Precedence climbing over a list of tokens, the next one last."""

    def __init__(self, expression: str, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        expression = expression.rstrip()
        while at < len(expression):
            match = _TOKEN.match(expression, at)
            if match is None:
                raise self.error()
            self.tokens.append(match[1] or match[2])
            at = match.end()
        self.tokens.reverse()

    def error(self) -> InvalidOption:
        return InvalidOption(
            f"pre_dispatch={self.text!r} is not a valid or supported arithmetic expression: "
            'give a number, "all", or a text such as "2 * n_jobs"'
        )

    def expression(self, loosest: int) -> float:
        left = self.operand()
        while self.tokens and self.tokens[-1] in _OPERATORS:
            binding, apply = _OPERATORS[self.tokens[-1]]
            if binding < loosest:
                break
            sign = self.tokens.pop()
            right = self.expression(binding if sign == "**" else binding + 1)
            if sign == "**" and abs(right) > 20:
                raise InvalidOption(f"pre_dispatch={self.text!r}: the exponent {right} is too large")
            left = self.bounded(partial(apply, left, right))
        return left

    def operand(self) -> float:
        if not self.tokens:
            raise self.error()
        token = self.tokens.pop()
        if token == "(":
            value = self.expression(0)
            if not self.tokens or self.tokens.pop() != ")":
                raise self.error()
            return value
        if token in ("-", "+"):
            value = self.expression(_SIGN)
            return -value if token == "-" else value
        if token in _OPERATORS or token == ")":
            raise self.error()
        return self.bounded(partial(float if set(token.lower()) & {".", "e"} else int, token))

    def bounded(self, compute: Callable[[], float]) -> float:
        try:
            value = compute()
        except (ArithmeticError, ValueError) as exc:
            raise InvalidOption(f"pre_dispatch={self.text!r} has no value: {exc}") from None
        if not isinstance(value, int | float):  # a root of a negative number
            raise self.error()
        if not abs(value) <= _GREATEST:
            raise InvalidOption(f"pre_dispatch={self.text!r}: Numeric literal or value {value} is too large")
        return value
