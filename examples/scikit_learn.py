"""scikit-learn: a search whose fits are kept, and scikit-learn's own loops on lightwork's workers.

``lightwork.compat.install`` gives lightwork to all that say ``import joblib``, so it comes first.
"""

import lightwork.compat

lightwork.compat.install()

import joblib  # noqa: E402 - this is lightwork
from sklearn.datasets import load_wine  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402

from lightwork import Memory, Parallel, delayed, dump, load  # noqa: E402

memory = Memory("cache")


@memory.cache
def accuracy(depth: int, trees: int) -> float:
    """Mean accuracy over five folds."""
    data, kinds = load_wine(return_X_y=True)
    model = RandomForestClassifier(trees, max_depth=depth, random_state=0)
    return float(cross_val_score(model, data, kinds).mean())


def main() -> None:
    candidates = [(depth, trees) for depth in (1, 2, 4) for trees in (5, 20)]
    scores = Parallel(n_jobs=2)(delayed(accuracy)(depth, trees) for depth, trees in candidates)
    best, score = max(zip(candidates, scores, strict=True), key=lambda pair: pair[1])
    print(f"best: depth {best[0]}, {best[1]} trees, accuracy {score:.3f}")

    data, kinds = load_wine(return_X_y=True)
    with joblib.parallel_config(backend="loky", n_jobs=2):  # the forest's own loop
        model = RandomForestClassifier(best[1], max_depth=best[0], random_state=0).fit(data, kinds)
    dump(model, "forest.lw", compress=True)
    again = load("forest.lw", safe=True, trusted=["sklearn", "numpy", "scipy"])
    assert (again.predict(data) == model.predict(data)).all()
    print("the model was kept, and read again without running foreign code")


if __name__ == "__main__":
    main()
