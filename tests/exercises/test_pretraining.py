"""The checks of chapter pretraining take any right answer, and see one that is right for one case only."""

import torch

from medgen_utils.exercises import check


def test_the_index_may_be_written_otherwise():
    assert check("pre.1", lambda so, os: 0.5 if so == os == 0 else 1 - os / (so + os)).passed
    assert "no share of both" in check("pre.1", lambda so, os: so / 40 if so or os else 0.5, hint=0).text


def test_labels_may_be_sorted_out_by_another_route():
    def by_keys(y, hospital, generator):
        keys = torch.rand(len(y), generator=generator)
        order = torch.argsort(hospital + keys)  # by hospital, at random within it
        shuffled = torch.empty_like(y)
        shuffled[torch.argsort(hospital, stable=True)] = y[order]
        return shuffled

    assert check("pre.2", by_keys).passed
    fixed = lambda y, hospital, generator: by_keys(y, hospital, torch.Generator().manual_seed(3))  # noqa: E731
    assert "is it the generator that draws" in check("pre.2", fixed, hint=0).text


def test_features_that_say_nothing_are_told():
    assert check("pre.3", lambda x: x.flatten(1)).passed
    assert "the same row" in check("pre.3", lambda x: torch.ones(len(x), 4), hint=0).text
    assert "NaN" in check("pre.3", lambda x: x.flatten(1) / 0 * 0, hint=0).text
