"""The checks of chapter self_supervision take any right answer, and see one that is right for one case only."""

import math

import pandas as pd
import torch

from medgen_utils.exercises import check
from medgen_utils.self_supervision import nt_xent

TABLE = pd.DataFrame(columns=["class, source hospitals", "hospital"])


def test_the_loss_of_a_guess_may_be_measured():
    assert check("self.1", lambda n: nt_xent(torch.ones(n, 8), torch.ones(n, 8)).item()).passed
    assert "no guess among" in check("self.1", lambda n: math.log(127), hint=0).text


def test_equal_hospitals_may_be_averaged():
    def averaged(z_a, z_b, domain):
        return sum(nt_xent(z_a[domain == k], z_b[domain == k]) for k in domain.unique()) / len(domain.unique())

    assert check("self.2", averaged).passed
    assert "A tensor of shape ()" in check("self.2", lambda *a: averaged(*a).item(), hint=0).text


def test_probes_that_do_not_change_or_know_no_class_are_told():
    def probes(class_score, change=0.0):
        return lambda steps=100: {"class, source hospitals": class_score, "hospital": 0.4 + change * steps}

    assert "the one you probe" in check("self.3", probes(0.9), probe_table=TABLE, hint=0).text
    assert "The class is gone" in check("self.3", probes(0.5, 0.01), probe_table=TABLE, hint=0).text
    assert check("self.3", probes(0.9, 0.01), probe_table=TABLE).passed
