"""ERM and the reference side by side: on shared images only, ahead or behind by their interval, or not there yet."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import About, evidence, left_out
from medgen_utils.benchmark.reference import ERM, LeftOut, NotYet, shared
from medgen_utils.benchmark.repair import REFERENCE
from medgen_utils.evaluation import auroc

ABOUT = About(10, "torch 2", "cpu", 1.0)


def predictions(skill: dict[str, tuple[float, float]], n: int = 240, seeds=(0, 1, 2)) -> pd.DataFrame:
    """Domain -> how far ERM and the reference move the log odds by the class; the reference is tested on two thirds."""
    random, frames = np.random.default_rng(0), []
    for domain, strengths in skill.items():
        y = np.arange(n) % 2
        for method, strength in zip((ERM, REFERENCE), strengths, strict=True):
            for seed in seeds:
                p = 1 / (1 + np.exp(-(strength * (2 * y - 1) + random.normal(size=n))))
                frame = pd.DataFrame({
                    "run": f"{domain}/{method}/{seed}", "algorithm": method, "seed": seed, "split": "test",
                    "domain": domain, "group": [f"{domain}/{i}" for i in range(n)], "index": np.arange(n), "y": y,
                    "pred": (p > 0.5).astype(int), "prob_0": 1 - p, "prob_1": p,
                })  # fmt: skip
                tested = (frame["index"] // 2) % 3 != seed
                frames.append(frame[tested] if method == REFERENCE else frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def stored(monkeypatch):
    """A store in which including A helps, including B hurts, and C does not matter."""
    frame = predictions({"A": (0.2, 2.5), "B": (2.5, 0.2), "C": (1.0, 1.0)})
    result = SimpleNamespace(about=ABOUT, sites={"A": "one", "B": "one", "C": "two"})
    monkeypatch.setattr(evidence, "result", lambda *arguments, **where: result)
    monkeypatch.setattr(evidence, "predictions", lambda *arguments: frame)
    return frame


def test_both_are_scored_on_the_images_that_both_were_tested_on(stored):
    found = left_out("any")
    assert len(found.frame) == len(stored) // 5 * 4
    pairs = found.frame.groupby(["domain", "seed", "index"])["algorithm"].nunique()
    assert (pairs == 2).all()
    differences = found.differences().set_index("domain")
    value = {
        key: auroc(part["y"].to_numpy(), part["prob_1"].to_numpy())
        for key, part in found.frame.query("domain == 'A'").groupby(["algorithm", "seed"])
    }
    by_hand = np.mean([value[REFERENCE, seed] - value[ERM, seed] for seed in (0, 1, 2)])
    assert differences.loc["A", "value"] == pytest.approx(by_hand)


def test_the_sentence_sorts_the_domains_and_counts_hospitals(stored):
    table = left_out("any").differences().set_index("domain")
    text = left_out("any").say().data
    parts = [f"{where} {name} {table.loc[name, 'value']:+.3f}" for where, name in
             (("ahead at", "A"), ("behind at", "B"), ("within the noise at", "C"))]  # fmt: skip
    assert [part for part in parts if part not in text] == []
    assert "3 domains in 2 hospitals or groups of centres, 3 seeds" in text


def test_a_figure_has_a_line_a_domain_and_two_points_on_it(stored):
    axis = left_out("any").plot().axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["A", "B", "C"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["left out", REFERENCE]


def test_images_that_one_of_them_never_saw_are_left_out():
    frame = pd.DataFrame(
        [["A", 0, 1, ERM], ["A", 0, 2, ERM], ["A", 0, 2, REFERENCE], ["A", 1, 1, REFERENCE]],
        columns=["domain", "seed", "index", "algorithm"],
    )
    assert shared(frame)["index"].tolist() == [2, 2]


def test_what_the_store_lacks_is_said_and_no_error(monkeypatch):
    def lacking(*arguments, **where):
        raise ValueError("protocol [7] is not in the evidence: choose from ['0']")

    monkeypatch.setattr(evidence, "result", lacking)
    found = left_out("mitosis", protocol=7)
    assert isinstance(found, NotYet)
    said = found.plot().data
    assert "Not in the evidence store yet: ERM and reference: target included on mitosis, protocol 7" in said
    assert found.say() is None and found.brief() == "not in the evidence store yet"


@pytest.mark.parametrize(("seeds", "said"), [((0,), "1 seed"), ((0, 1), "2 seeds")])
def test_one_seed_is_not_written_as_many(seeds, said):
    frame = predictions({"A": (1.0, 1.5)}, seeds=seeds)
    assert LeftOut(shared(frame), ABOUT).brief().endswith(f", {said}")
