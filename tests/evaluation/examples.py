"""Made-up predictions for the tests of this folder."""

import numpy as np
import pandas as pd


def binary(n: int, seed: int, decimals: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities; few decimals make ties."""
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    return y, np.round(1 / (1 + np.exp(-rng.normal(y - 0.5, 1))), decimals)


def multiclass(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    logits = rng.normal(size=(n, k)) + np.eye(k)[y]
    return y, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def frame(n: int = 120, domains: str = "ABC", algorithms: str = "ab", seeds: int = 2) -> pd.DataFrame:
    """Predictions of two algorithms on the same images, a patient each."""
    rows = []
    for number, domain in enumerate(domains):
        rng = np.random.default_rng(number)
        y = rng.integers(0, 2, n)
        for algorithm in algorithms:
            for seed in range(seeds):
                p = 1 / (1 + np.exp(-(y - 0.5) * (1 + number) - rng.normal(size=n)))
                columns = {"run": f"p/{algorithm}/{seed}", "algorithm": algorithm, "seed": seed, "domain": domain}
                columns |= {"group": [f"{domain}/{i}" for i in range(n)], "index": np.arange(n), "y": y}
                columns |= {"split": "test", "pred": (p > 0.5).astype(int), "prob_0": 1 - p, "prob_1": p}
                rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True)
