"""The checks of chapter feature_alignment take any right answer, and see a penalty that asks for nothing."""

import numpy as np
import torch

from medgen_utils.exercises import check
from medgen_utils.feature_alignment import CORAL, AlignedERM, coral


def test_the_parts_may_be_found_by_subtraction():
    def by_subtraction(z_a, z_b):
        of_covariances = coral(z_a - z_a.mean(0), z_b - z_b.mean(0))
        return coral(z_a, z_b) - of_covariances, of_covariances

    assert check("alignment.1", by_subtraction).passed


def test_distances_may_be_found_by_a_formula():
    assert check("alignment.2", lambda p, q: (2 * (p - q) ** 2 * (1 - np.exp(-1)), 0.0)).passed
    assert "same prevalence" in check("alignment.2", lambda p, q: (1.28 * (1 - np.exp(-1)), 0.0), hint=0).text


def test_a_method_of_the_package_is_a_penalty():
    assert check("alignment.3", CORAL).passed


def test_a_penalty_without_a_network_behind_it_or_that_fails_is_told():
    class Detached(AlignedERM):
        def alignment(self, z, logits, y):
            return self.strength * torch.stack([part.detach().mean() for part in z]).var()

    class Failing(AlignedERM):
        def alignment(self, z, logits, y):
            return z.mean()

    assert "without detach" in check("alignment.3", Detached, hint=0).text
    assert "AttributeError" in check("alignment.3", Failing, hint=0).text
    assert "the class itself" in check("alignment.3", lambda z: z, hint=0).text
