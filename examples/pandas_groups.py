"""pandas: a function for each group of a table, shared out; the table travels once."""

import numpy as np
import pandas as pd

from lightwork import Memory, Parallel, delayed

memory = Memory("cache")


@memory.cache
def trend(station: pd.DataFrame) -> float:
    """Degrees per year: the slope of a line through the measurements of one station."""
    slope, _ = np.polyfit(station["year"], station["temperature"], 1)
    return float(slope)


def measurements() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    years = np.arange(1950, 2025)
    tables = [
        pd.DataFrame(
            {"station": name, "year": years, "temperature": 10 + slope * (years - 1950) + rng.normal(size=75)}
        )
        for name, slope in [("north", 0.04), ("south", 0.02), ("coast", 0.01), ("hill", 0.03)]
    ]
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    groups = dict(list(measurements().groupby("station")))
    slopes = Parallel(n_jobs=2)(delayed(trend)(group) for group in groups.values())
    print(pd.Series(slopes, index=list(groups), name="degrees per year").round(3).to_string())

    shuffled = groups["north"].copy()  # equal content has an equal key, wherever it lies
    assert trend.check_call_in_cache(shuffled)


if __name__ == "__main__":
    main()
