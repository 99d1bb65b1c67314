"""What of the code around a function is part of its keys, for people to read."""

from typing import NamedTuple

__all__ = ["Dependencies"]


class Dependencies(NamedTuple):
    """What the keys of a function depend on beside the arguments. As text, a list of both kinds."""

    tracked: list[str]
    """Functions and classes with their place, and globals that count by their content: constants with it."""

    untracked: list[str]
    """What the code names and keys do not depend on, with the reason."""

    def joined(self, others: "Dependencies") -> "Dependencies":
        """These, and those of `others` that are not among them."""
        return Dependencies(
            [*dict.fromkeys([*self.tracked, *others.tracked])],
            [*dict.fromkeys([*self.untracked, *others.untracked])],
        )

    def __str__(self) -> str:
        lines = ["tracked:", *(f"  {line}" for line in self.tracked or ["nothing"])]
        return "\n".join([*lines, "not tracked:", *(f"  {line}" for line in self.untracked or ["nothing"])])
