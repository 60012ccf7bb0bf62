"""A small table of predictions, as a file of a hospital might hold it, and a reader of pages, for the audit's tests."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from medgen_utils.audit.read import read_predictions

EVIL = '<script>alert("x")</script>&"north"'


def table(n: int = 240, k: int = 2, domains: tuple[str, ...] = ("home", "away", EVIL)) -> pd.DataFrame:
    """One row per image, two models p and q (or prob_0 ... for k > 2), patients with two images each."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(k), n)[:n]
    domain = np.array(domains, object)[np.arange(n) * len(domains) // n]
    columns = {
        "id": [f"i{i}" for i in range(n)],
        "hospital": domain,
        "patient": np.arange(n) // 4 * 2 + np.arange(n) % 2,
    }
    columns |= {"y": y}
    if k == 2:
        p = 1 / (1 + np.exp(-rng.normal(2 * y - 1)))
        return pd.DataFrame(columns | {"p": p.round(4), "q": rng.random(n).round(4)})
    z = np.exp(rng.normal(size=(n, k)) + np.eye(k)[y])
    z /= z.sum(1, keepdims=True)
    return pd.DataFrame(columns | {f"prob_{i}": z[:, i] for i in range(k)})


def read(path, **options) -> pd.DataFrame:
    return read_predictions(path, **({"prob": ["p"], "domain": "hospital"} | options))


def told(frame: pd.DataFrame) -> str:
    return "\n".join(frame.attrs["notices"])


def changed(column: str, row: int, value: object) -> pd.DataFrame:
    data = table().astype({column: object})
    data.loc[row - 1, column] = value
    return data


def classes(k: int = 3, names: str = "prob_{}", n: int = 240) -> pd.DataFrame:
    return table(n, k).rename(columns=lambda c: names.format(c.removeprefix("prob_")) if c.startswith("prob_") else c)


def models() -> pd.DataFrame:
    """The rows of two models, one below the other."""
    return pd.concat([table().assign(m=m) for m in "ab"], ignore_index=True)


def runs_frame(runs: int) -> pd.DataFrame:
    """The tidy frame of one model with several runs in two domains."""
    parts = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        for domain in ("home", "away"):
            y = np.tile([0, 1], 50)
            p = 1 / (1 + np.exp(-rng.normal(2 * y - 1)))
            columns = {"run": f"r{seed}", "algorithm": "a", "domain": domain, "index": np.arange(100), "y": y}
            columns |= {"group": [f"{domain}/{i}" for i in range(100)], "prob_0": 1 - p, "prob_1": p}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


class Page(HTMLParser):
    """Collects tags, addresses and whether every element that opens also closes."""

    void = ("meta", "br", "circle", "line", "path", "polyline")

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.loads, self.open, self.ids = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if (tag, dict(attributes)) == ("link", {"rel": "icon", "href": "data:,"}):
            return  # the empty icon, which keeps a browser from asking for one
        self.tags.add(tag)
        self.loads += [value for name, value in attributes if name in ("src", "xlink:href", "srcset", "data")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag
