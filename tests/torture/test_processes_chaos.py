"""Everything that can happen to tasks, at random and at once: nothing is lost, doubled or out of place."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from lightwork import Parallel, Retry, delayed
from lightwork.errors import CallCancelled
from lightwork.parallel.options import ReturnAs
from tests.torture.watchdog import LONG

TASKS = 60 if LONG else 25


def work(folder: str, seed: int, index: int) -> tuple[int, bytes]:
    """Fails in a way of its own the first one or two times; then gives its index and some bytes."""
    path = Path(folder, str(index))
    with path.open("ab") as file:
        file.write(b".")
    chance = random.Random(f"{seed} {index}")
    fate = chance.choice(["raise", "die", "exit", "hang"]) if chance.random() < 0.15 else "fine"
    if path.stat().st_size <= chance.randint(1, 2):
        if fate == "raise":
            raise ValueError(index)
        if fate == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "exit":
            os._exit(3)
        if fate == "hang":
            time.sleep(60)
    time.sleep(chance.choice([0, 0, 0, 0.001, 0.01]))
    return index, bytes([index % 251]) * chance.choice([1, 100, 1 << 20])


@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_retries_bring_every_task_home(tmp_path: Path, return_as: ReturnAs) -> None:
    """Tasks that raise, die, exit and hang once or twice: with retries all end well, in their places."""
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    parallel = Parallel(
        n_jobs=3,
        task_timeout=0.3,
        retries=Retry(4, backoff=0.001, jitter=0.5),
        return_as=return_as,
    )
    found = list(parallel(delayed(work)(str(tmp_path), seed, index) for index in range(TASKS)))
    if return_as == "generator_unordered":
        found.sort()
    assert [index for index, _ in found] == list(range(TASKS))
    assert all(set(data) == {index % 251} for index, data in found)


def test_cancelling_at_random_leaves_a_pool_that_works() -> None:
    """Calls are given up after a random while, from the reader and from outside; each next call is right."""
    chance = random.Random(os.urandom(8))
    for turn in range(6):
        parallel = Parallel(n_jobs=2, return_as="generator", retries=1)
        results = parallel(delayed(pow)(number, 2) for number in range(100_000))
        taken = [next(results) for _ in range(chance.randrange(200))]
        assert taken == [number * number for number in range(len(taken))]
        if turn % 2:
            results.close()
        else:
            parallel.cancel()
            with pytest.raises(CallCancelled):
                for _ in results:
                    pass
        assert Parallel(n_jobs=2)(delayed(pow)(number, 2) for number in range(5)) == [0, 1, 4, 9, 16]
