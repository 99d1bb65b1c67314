"""Which run of the machine this is. What was written in an earlier one may have been lost in a crash."""

import functools
import time

__all__ = ["BOOT_ID", "boot_id"]

BOOT_ID = "/proc/sys/kernel/random/boot_id"
_STEP = 64.0  # seconds; the clock may be set, a boot rarely comes so soon after another


@functools.cache
def boot_id() -> str:
    """A text that is the same until the machine starts anew.

    Where the kernel does not tell (anything but Linux) it is made from the time of the start; setting the
    clock then looks like a new start, which is the safe mistake.
    """
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return f"start-{round((time.time() - time.monotonic()) / _STEP)}"
