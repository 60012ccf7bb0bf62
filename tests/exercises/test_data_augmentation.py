"""The checks of chapter data_augmentation take any right answer, and see one that ignores what it is given."""

import pandas as pd
import torch

from medgen_utils.exercises import check

VALUES = pd.DataFrame({"sources": [0.9, 0.89, 0.7], "dark": [0.5, 0.7, 0.8]}, index=[0.0, 1.0, 2.0])


def test_images_may_be_inverted_by_a_sum():
    def by_a_sum(x, generator):
        chosen = torch.randint(2, (len(x),), generator=generator)[:, None, None, None]
        return chosen + (1 - 2 * chosen) * x

    assert check("augmentation.1", by_a_sum).passed


def test_images_are_not_changed_in_place_and_not_inverted_too_often():
    def in_place(x, generator):
        return x.mul_(-1).add_(1)

    def rarely(x, generator):
        return torch.where(torch.rand(len(x), 1, 1, 1, generator=generator) < 0.1, 1 - x, x)

    assert "return new ones" in check("augmentation.1", in_place, hint=0).text
    assert "one half" in check("augmentation.1", rarely, hint=0).text


def test_a_distance_that_is_always_nothing_does_not_pass():
    assert "depend on the images" in check("augmentation.2", lambda *a: 0.0, hint=0).text


def test_any_rule_that_reads_the_sources_is_plausible():
    said = check("augmentation.3", lambda at_sources: at_sources.idxmax(), values=VALUES).text
    assert said == "Plausible: strength 0.0, AUROC 0.50 at the dark scanner; the oracle would have had 0.80."


def test_a_strength_fixed_beforehand_is_no_rule():
    assert "does your rule read them?" in check("augmentation.3", lambda s: 1.0, values=VALUES, hint=0).text
