"""The checks of the exercises augmentation.1 to augmentation.3. Chapter: data_augmentation."""

import numpy as np
import pandas as pd
import torch

from medgen_utils.exercises.feedback import Asked, described, exercise, number, tensor


@exercise(
    "augmentation.1",
    first_step="draw for each image whether it is inverted, then exchange bright and dark in those.",
    returns="images of the same shape",
    hints=(
        "One random number for each image decides; its shape lets it act on all pixels of that image at once.",
        "`torch.rand` takes a shape and `generator=`; `torch.where` takes from one of two tensors.",
    ),
)
def inversion(asked: Asked) -> str:
    x = 0.1 + 0.2 * torch.rand(400, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    given = tensor(asked(x, torch.Generator().manual_seed(1)), tuple(x.shape))
    if not torch.equal(x, before):
        return "The images that were passed in have changed: return new ones."
    bright = given.mean((1, 2, 3)) > 0.5
    if bright.all() or not bright.any():
        return "All images were treated alike: draw one number for each image."
    same, inverted = (torch.isclose(given, image).flatten(1).all(1) for image in (x, 1 - x))
    if not (same | inverted).all():
        return "Each whole image should come back either as it is or with bright and dark exchanged."
    if not 0.4 < bright.float().mean() < 0.6:
        return f"{bright.float().mean():.0%} of the images are inverted: is the chance one half?"
    if not torch.equal(given, tensor(asked(x, torch.Generator().manual_seed(1)), tuple(x.shape))):
        return "The same generator gave another result: is it the one that draws?"
    return (
        f"Correct: {bright.float().mean():.0%} of the images are inverted. Train with it, look at the inverted scanner."
    )


@exercise(
    "augmentation.2",
    first_step="mix the amplitudes, then compare one mean an image with that of `other`.",
    returns="one number",
    hints=(
        "With `lam = 1` the amplitude inside the window is wholly that of `other`.",
        "One mean an image is a mean over channels, rows and columns; the absolute value comes after the difference.",
    ),
)
def means(asked: Asked) -> str:
    generator = torch.Generator().manual_seed(0)
    x, other = (0.3 + 0.2 * torch.rand(4, 1, 28, 28, generator=generator) + offset for offset in (0.0, 0.3))
    given = number(asked(x, other, 0.05))
    if given > 0.25:
        return "The means did not move: is `other` the second argument, and lam 1?"
    if not np.isclose(given, 0, atol=0.01):
        return f"{given:.3f} came back: is it one mean an image, and not a difference pixel by pixel? Is lam 1?"
    if np.isclose(given, number(asked(x, x.flip(2, 3) + 0.1, 0.05)), atol=1e-12):
        return "Other images give the very same number: does it depend on the images?"
    return "Correct: even the smallest window takes over the mean, which is the amplitude at frequency zero."


@exercise(
    "augmentation.3",
    first_step="score each strength by what the sources say of it, then choose.",
    returns="one of the strengths",
    hints=(
        "More variety costs a little at the sources. How much are you willing to pay, for what?",
        "One kind of rule: of all strengths that lose no more than a margin at the sources, take an extreme one. "
        "Write down first why it should work, and when it will not.",
    ),
)
def strength_without_target(asked: Asked, values: pd.DataFrame) -> str:
    """``values``: AUROC, a row a strength, with the columns sources and dark."""
    given = asked(values["sources"].copy())
    falling = pd.Series(np.linspace(0.98, 0.5, len(values)), index=values.index)
    choices = [given, asked(falling), asked(falling[::-1].set_axis(values.index))]
    for choice in choices:
        if number(choice) not in values.index:
            return f"Choose one of the strengths, which are the index of what you get; {described(choice)} came back."
    if choices[1] == choices[2]:
        return "The choice is the same whatever the scores at the sources are: does your rule read them?"
    dark = values["dark"]
    return (
        f"Plausible: strength {given}, AUROC {dark[given]:.2f} at the dark scanner; "
        f"the oracle would have had {dark.max():.2f}."
    )
