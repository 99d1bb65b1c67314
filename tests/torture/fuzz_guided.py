"""Lets atheris choose skeletons: those that reach new code are kept and mutated further.

``python -m tests.torture.fuzz_guided SECONDS FOLDER``: the inputs, and one that fails, are put into FOLDER.
"""

import os
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["lightwork.persistence", "lightwork.parcel"]):
    from lightwork.persistence.safe import guard  # noqa: F401 - to be instrumented before others import it
from tests.torture.fuzz_reading import read, seeds
from tests.unit.persistence.hostile_skeletons import sealed

_BUFFER = bytes(256)


def one(skeleton: bytes) -> None:
    """Read a file with this skeleton, and with a buffer if that is what it asks for."""
    read(sealed(skeleton))
    read(sealed(skeleton, buffers=(_BUFFER,)))


def main(seconds: int, folder: str) -> None:
    """Fuzz for so long; atheris ends the process."""
    corpus = os.path.join(folder, "corpus")
    os.makedirs(corpus, exist_ok=True)
    for number, seed in enumerate(seeds()):
        with open(os.path.join(corpus, f"seed{number}"), "wb") as file:
            file.write(seed.skeleton)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=3000", "-max_len=4000"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", corpus], one)
    atheris.Fuzz()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]), sys.argv[2])
