"""asyncio: a cached coroutine that is awaited by many and runs once, and results read with ``async for``."""

import asyncio

from lightwork import Memory, Parallel, delayed

memory = Memory("cache", ttl="10m")
ran: list[str] = []


@memory.cache(ignore=["delay"])
async def fetch(name: str, delay: float = 0.05) -> str:
    """Stands for a request over the network."""
    ran.append(name)
    await asyncio.sleep(delay)
    return name.upper()


def heavy(number: int) -> int:
    return sum(i % 7 for i in range(number * 1000))


async def main() -> None:
    memory.clear(warn=False)
    names = ["north", "south", "north", "north", "east"]
    answers = await asyncio.gather(*(fetch(name) for name in names))
    print(f"{len(answers)} answers from {len(ran)} requests: {answers}")
    assert sorted(ran) == ["east", "north", "south"]

    total = 0
    stream = Parallel(n_jobs=2, return_as="generator_unordered")(delayed(heavy)(n) for n in range(40))
    async for value in stream:  # the event loop runs on meanwhile
        total += value
    print(f"heavy work in processes, beside the loop: {total}")
    assert total == sum(map(heavy, range(40)))


if __name__ == "__main__":
    asyncio.run(main())
