"""The checks of the exercises alignment.1 to alignment.3. Chapter: feature_alignment."""

import inspect

import numpy as np
import torch

from medgen_utils import clinic, training
from medgen_utils.exercises.feedback import Asked, exercise, number, numbers
from medgen_utils.feature_alignment import AlignedERM, coral


@exercise(
    "alignment.1",
    first_step="compare the means of the two sets, then their covariances, each by a mean of squares.",
    returns="two numbers",
    hints=(
        "The two parts are made alike: a difference, squared, averaged over all entries.",
        "torch has a function for covariances. It expects one row a feature, and divides by n - 1.",
    ),
)
def parts_of_coral(asked: Asked) -> str:
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    of_means, of_covariances = numbers(asked(z, z + 2), 2)
    if not np.isclose(of_covariances, 0, atol=1e-9):
        return "A shift of all features must not show in the second part: subtract the mean before you multiply."
    if not np.isclose(of_means, 4):
        return f"Shifted by 2 in every feature, the first part is {of_means:.3g}: a mean of squares, not the sum?"
    if not np.isclose(sum(numbers(asked(z, 2 * z), 2)), float(coral(z, 2 * z))):
        return "The parts do not add up to coral: are the covariances unbiased, and is the mean over all their entries?"
    return "Correct."


@exercise(
    "alignment.2",
    first_step="make the features of both hospitals, a column of 100 zeros and ones each.",
    returns="two numbers: between the hospitals, then the mean within the classes",
    hints=(
        "No draw is needed: a share p of the 100 images has the feature 1, exactly.",
        "The feature is the class, so a class of a hospital is found by comparing the feature with 0 or with 1.",
    ),
)
def prevalence_trap(asked: Asked) -> str:
    plain, within = numbers(asked(0.9, 0.1), 2)
    if not np.isclose(within, 0, atol=1e-6):
        return "Within a class all features are equal, so their distance cannot be what came back."
    if not np.isclose(plain, 2 * 0.8**2 * (1 - np.exp(-1)), atol=1e-4):
        return f"The first number came back as {plain:.3f}: are there exactly 90 and 10 ones among 100, and one gamma?"
    if not np.isclose(numbers(asked(0.3, 0.3), 2)[0], 0, atol=1e-6):
        return "Two hospitals of the same prevalence have the same features, and still your distance is not 0."
    return "Correct: the plain distance calls perfect features misaligned, and its gradient pulls the classes together."


@exercise(
    "alignment.3",
    first_step="return a penalty times `self.strength`, computed from z, logits and y.",
    returns="a class, a subclass of AlignedERM",
    hints=(
        "Choose what should agree, compute it once for each domain, and let the penalty be how far apart these are.",
        "`torch.stack` puts one value a domain into one tensor, whose variance is 0 where all agree.",
    ),
)
def own_penalty(asked: Asked) -> str:
    method = asked.answer
    if not (inspect.isclass(method) and issubclass(method, AlignedERM)):
        return "Pass the class itself, a subclass of AlignedERM."
    images = clinic.make_clinic(clinic.acquisition_hospitals(), 60, seed=0)
    batches = next(training.draw_batches(images, 48, True, torch.Generator().manual_seed(0)))
    model = asked.run(lambda: training.build(method, images, seed=0, width=4))
    z = [model.features(batch.x) for batch in batches]
    added = asked.run(model.alignment, z, [model.classifier(part) for part in z], [batch.y for batch in batches])
    number(added)
    if not getattr(added, "requires_grad", False):
        return "What is added does not depend on the weights: compute it from z or logits, without detach."
    same = [z[0]] * 3, [model.classifier(z[0])] * 3, [batches[0].y] * 3
    again = number(asked.run(model.alignment, *same))
    if not np.isclose(again, 0, atol=1e-5):
        return (
            f"Three identical domains should need no penalty, yours is {again:.3g}: take differences between domains."
        )
    return "Plausible: it reaches the featurizer and is zero for identical domains. Now compare it with ERM."
