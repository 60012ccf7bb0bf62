"""The checks of the exercises pre.1 to pre.3. Chapter: pretraining."""

import numpy as np
import torch

from medgen_utils.exercises.feedback import Asked, NotYet, described, exercise, number, tensor


@exercise(
    "pre.1",
    first_step="write the index of the chapter as a fraction of two counts.",
    returns="one number between 0 and 1",
    hints=(
        "Which neighbours count as good, and which neighbours enter at all?",
        "A fraction whose denominator is zero needs a rule: what would a coin say?",
    ),
)
def index_of_counts(asked: Asked) -> str:
    for same_class, same_hospital in ((30, 10), (1, 3), (0, 7), (5, 0)):
        given = number(asked(same_class, same_hospital))
        if np.isclose(given, same_class / (same_class + same_hospital), atol=1e-9):
            continue
        if np.isclose(given, same_hospital / (same_class + same_hospital)):
            return "Turned around: an embedding whose neighbours share nothing but the hospital must get the low end."
        return f"For the counts {same_class} and {same_hospital} came back {given:.4g}, which is no share of both."
    if not np.isclose(number(asked(0, 0)), 0.5):
        return "Without any neighbour that counts the chapter's rule is undecided, halfway between the two ends."
    return "Correct: and with few neighbours that count, the index rests on little."


@exercise(
    "pre.2",
    first_step="shuffle the labels of one hospital, then do so for each.",
    returns="labels (n,), in a new tensor",
    hints=(
        "Which shares must stay as they are, so that only the tie between image and label is cut?",
        "Work on the positions of one hospital at a time.",
    ),
)
def permuted_within(asked: Asked) -> str:
    rng = np.random.default_rng(0)
    hospital = torch.from_numpy(rng.integers(0, 3, 300))
    y = torch.from_numpy((rng.random(300) < np.array([0.1, 0.5, 0.9])[hospital]).astype(np.int64))
    before = y.clone()
    given = tensor(asked(y, hospital, torch.Generator().manual_seed(0)), (300,))
    if not torch.equal(y, before):
        return "Your function wrote into the labels it was given: work on a copy."
    if torch.equal(given.long(), y):
        return "The labels came back as they were."
    shares = [(given[hospital == k] == 1).float().mean() - (y[hospital == k] == 1).float().mean() for k in range(3)]
    if abs((given == 1).float().mean() - (y == 1).float().mean()) > 1e-6:
        return "The number of malignant images has changed: a permutation keeps it."
    if max(abs(share) for share in shares) > 1e-6:
        return "The shares of the classes within a hospital have changed: labels went from one hospital to another."
    again = tensor(asked(y, hospital, torch.Generator().manual_seed(1)), (300,))
    if torch.equal(again, given):
        return "Another generator gives the same order: is it the generator that draws?"
    return "Correct: whatever an index finds now, it did not find in the disease."


@exercise(
    "pre.3",
    first_step="describe one image by a few numbers, then do so for a batch.",
    returns="features (n, d), one row an image",
    hints=(
        "What could a radiologist measure without knowing the disease: brightness, contrast, edges?",
        "Reduce over the pixels of each image, never over the images of the batch.",
    ),
)
def own_features(asked: Asked) -> str:
    x = torch.rand(8, 1, 64, 64, generator=torch.Generator().manual_seed(0)) ** torch.arange(1, 9)[:, None, None, None]
    z = asked(x)
    if not isinstance(z, torch.Tensor) or z.ndim != 2 or len(z) != len(x) or z.is_complex():
        raise NotYet(f"Features of shape (n, d) are asked for, one row an image, and {described(z)} came back.")
    z = z.detach().double()
    if not z.isfinite().all():
        return "Some features are NaN or infinite, and no probe can read those."
    if (z - z[0]).abs().max() < 1e-9:
        return "All images get the same row, so no probe can tell them apart."
    alone = torch.as_tensor(asked(x[:3])).detach().double()
    if alone.shape != z[:3].shape or (alone - z[:3]).abs().max() > 1e-4 * (1 + z.abs().max()):
        return "An image gets other features in other company: something is computed over the whole batch."
    return "Plausible. Now put them beside the others with `compare_frozen`, and ask `hospital_probes` too."
