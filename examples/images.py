"""Images in files: a filter over a folder, in threads, which runs again only for files that have changed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lightwork import File, Memory, Parallel, delayed

memory = Memory("cache")
FOLDER = Path("images")


def write_image(path: Path, seed: int) -> None:
    """A blurred pattern, as a portable grey map: a format of one line and the bytes."""
    noise = np.random.default_rng(seed).random((120, 160))
    grey = ndimage.gaussian_filter(noise, 4)
    grey = 255 * (grey - grey.min()) / np.ptp(grey)
    path.write_bytes(b"P5 160 120 255\n" + grey.astype(np.uint8).tobytes())


def read_image(path: Path) -> NDArray[np.uint8]:
    heading, _, content = path.read_bytes().partition(b"\n")
    width, height = map(int, heading.split()[1:3])
    return np.frombuffer(content, np.uint8).reshape(height, width)


@memory.cache
def edges(image: File) -> float:
    """How much of an image is edge, 0 to 1. The key is the content of the file, not its name or date."""
    grey = read_image(Path(image)).astype(float)
    steep = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    return float((steep > 60).mean())


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for number in range(12):
        write_image(FOLDER / f"{number:02}.pgm", number)
    paths = sorted(FOLDER.glob("*.pgm"))
    shares = Parallel(n_jobs=2, backend="threads")(delayed(edges)(File(path)) for path in paths)
    print(f"edges: {min(shares):.2f} to {max(shares):.2f} of an image")

    write_image(FOLDER / "03.pgm", 99)  # one file changes, another is only touched
    (FOLDER / "04.pgm").touch()
    to_do = [path.name for path in paths if not edges.check_call_in_cache(File(path))]
    print(f"to be computed again: {to_do}")
    assert to_do == ["03.pgm"]


if __name__ == "__main__":
    main()
