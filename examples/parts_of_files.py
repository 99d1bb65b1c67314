"""A file that is too large to read: look into it, take some rows, map the rest."""

import numpy as np

import lightwork
from lightwork import dump, inspect, load


def main() -> None:
    rng = np.random.default_rng(0)
    survey = {
        "position": rng.normal(size=(200_000, 3)),
        "brightness": rng.integers(0, 255, 200_000, dtype=np.uint8),
        "observer": "north station",
    }
    dump(survey, "survey.lw")
    dump(survey, "small.lw", compress=True)
    print(inspect("small.lw"))

    with lightwork.open("small.lw") as file:
        print(file)
        rows = file["position"][1000:1003]  # only the blocks that hold these rows are decompressed
    assert np.array_equal(rows, survey["position"][1000:1003])

    print(load("survey.lw", keys=["observer"]))  # nothing else is read
    mapped = load("survey.lw", mmap_mode="r")  # nothing is read until it is touched
    brightest = mapped["brightness"].argmax()
    print(f"the brightest is at {mapped['position'][brightest].round(2)}")


if __name__ == "__main__":
    main()
