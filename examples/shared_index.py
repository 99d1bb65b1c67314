"""A large dictionary that every task needs: pickled once with `share`, built once in each worker."""

import random
import string

from lightwork import Parallel, delayed, share


def make_index(words: int) -> dict[str, list[int]]:
    """Words and the documents in which they are found."""
    letters = random.Random(0)
    spelled = ("".join(letters.choices(string.ascii_lowercase, k=6)) for _ in range(words))
    return {word: letters.sample(range(1000), 3) for word in spelled}


def search(index: dict[str, list[int]], words: list[str]) -> set[int]:
    """The documents that hold all of the words."""
    found = [set(index.get(word, ())) for word in words]
    return set.intersection(*found) if found else set()


def main() -> None:
    index = make_index(50_000)
    names = list(index)
    queries = [[names[i]] if i % 2 else [names[i], names[i + 1]] for i in range(400)]
    with share(index) as shared:
        answers = Parallel(n_jobs=2)(delayed(search)(shared, query) for query in queries)
        print(f"{shared.nbytes / 1e6:.1f} MB were sent to each worker once, for {len(queries)} queries")
    assert answers == [search(index, query) for query in queries]
    print(f"{sum(map(bool, answers))} queries found something")


if __name__ == "__main__":
    main()
