"""Install the browser that the tests of pages need, where that can be done: as root, on Debian or its kin.

``make check`` calls this; users' ``make test`` does not. Where it cannot be done the tests are skipped, and
say so. Needs nothing but the standard library.
"""

import os
import shutil
import subprocess
import sys

PROGRAMS = ("chromium", "chromedriver")
PACKAGES = ("chromium", "chromium-driver")


def main() -> int:
    if all(map(shutil.which, PROGRAMS)):
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"browser: {' and '.join(PROGRAMS)} are not here, and only root can install them: tests skip")
        return 0
    print(f"browser: installing {' and '.join(PACKAGES)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            print(f"browser: apt-get {arguments[0]} failed, tests skip: {reason[-1]}")
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
