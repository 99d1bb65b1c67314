"""A file that somebody sent: plain data is read, a program in disguise is refused."""

import os
from pathlib import Path

import numpy as np

from lightwork import dump, load
from lightwork.errors import UnsafeFileError


class Attack:
    """Looks like data; would run a command when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch harm",)


def main() -> None:
    dump({"temperature": np.linspace(15, 22, 8), "unit": "°C"}, "honest.lw")
    dump({"temperature": Attack()}, "hostile.lw")

    print(load("honest.lw", safe=True)["temperature"].mean())
    try:
        load("hostile.lw", safe=True)
    except UnsafeFileError as error:
        print(f"refused: {error}")
    else:
        raise SystemExit("it was not refused")
    assert not Path("harm").exists()


if __name__ == "__main__":
    main()
