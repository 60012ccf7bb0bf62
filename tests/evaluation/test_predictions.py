"""From a model to the tidy frame."""

import numpy as np
import torch

from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.evaluation import (
    predictions_frame,
    probabilities,
)


class Brightness(torch.nn.Module):
    def predict(self, x):
        assert not self.training
        return torch.stack([0 * x.mean((1, 2, 3)), x.mean((1, 2, 3))], 1)


def dataset() -> DomainDataset:
    x = torch.rand((10, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    groups = np.array(["p1", "p1", "p2", "", "", "p1", "p2", "p2", "", ""])
    info = DatasetInfo("toy", "Toy", "", "", "")
    return DomainDataset(x, torch.arange(10) % 2, torch.arange(10) // 5, groups, ("no", "yes"), ("here", "there"), info)


def test_predictions_frame_has_a_row_per_image_and_patients_that_never_collide():
    model = Brightness().train()
    result = predictions_frame(model, dataset(), name="bright", seed=3, protocol="toy", batch_size=4)
    assert list(result.columns) == (
        ["run", "algorithm", "seed", "protocol", "split", "domain", "group", "index", "y", "pred", "prob_0", "prob_1"]
    )
    assert result["run"].unique().tolist() == ["toy/bright/3"]
    assert result["group"].tolist()[:6] == ["here/p1", "here/p1", "here/p2", "here/image 3", "here/image 4", "there/p1"]
    np.testing.assert_allclose(probabilities(result).sum(1), 1)
    np.testing.assert_allclose(
        probabilities(result)[:, 1], model.eval().predict(dataset().x).softmax(1)[:, 1], rtol=1e-5
    )


def test_predictions_frame_puts_the_mode_back():
    model = Brightness().train()
    predictions_frame(model, dataset(), name="bright", seed=3, protocol="toy")
    assert model.training
