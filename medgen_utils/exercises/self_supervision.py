"""The checks of the exercises self.1 to self.3. Chapter: self_supervision."""

import numpy as np
import pandas as pd
import torch

from medgen_utils.exercises.feedback import Asked, exercise, number, tensor
from medgen_utils.self_supervision import nt_xent


@exercise(
    "self.1",
    first_step="count how many views each view can choose from.",
    returns="one number",
    hints=(
        "Equal features make all choices equally likely. What is the cross-entropy of a uniform guess?",
        "Count the rows of the batch, two for each image. Which of them may a view not choose?",
    ),
)
def guess(asked: Asked) -> str:
    for n in (64, 10, 1000):
        given = number(asked(n))
        if np.isclose(given, np.log(2 * n - 1), rtol=1e-6):
            continue
        if np.isclose(given, np.log(2 * n)):
            return "Nearly: a view may not choose itself."
        if np.isclose(given, np.log(n - 1)) or np.isclose(given, np.log(n)):
            return "There are two views of each image, so there are more rows in the batch than images."
        return f"For {n} images {given:.4g} came back, which is no guess among the views of that batch."
    return "Correct: 4.84 for 64 images, so your colleague began at a guess."


@exercise(
    "self.2",
    first_step="start from the lines of NT-Xent by hand, and take away the columns of other hospitals.",
    returns="the loss, one number in a tensor",
    hints=(
        "Which rows and columns of the matrix of similarities belong to the same hospital? Each image has two rows.",
        "A column leaves a softmax when its logit is minus infinity.",
    ),
)
def within_hospitals(asked: Asked) -> str:
    z_a, z_b = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    one, two = torch.zeros(6, dtype=torch.int64), torch.tensor([0, 0, 0, 1, 1, 1])
    of_one, of_two = (tensor(asked(z_a, z_b, domain), ()) for domain in (one, two))
    if not torch.isclose(of_one, nt_xent(z_a, z_b)):
        return "With one hospital the result must be plain NT-Xent: is the temperature there, and the diagonal masked?"
    if torch.isclose(of_two, nt_xent(z_a, z_b)):
        return "With two hospitals the result is still plain NT-Xent: mask the columns of other hospitals."
    parts = [nt_xent(z_a[two == k], z_b[two == k]) for k in (0, 1)]
    if torch.isclose(of_two, sum(parts) / 2):
        return "Correct: for hospitals of equal size it is the mean of the losses within them."
    return "Other hospitals still count with two hospitals: what must a masked column hold, so that exp gives 0?"


@exercise(
    "self.3",
    first_step="build a SimCLR with views of your own, fit it, then probe it.",
    returns="the dict of ssl.probe_features",
    hints=(
        "Views should differ in what the hospitals differ in, and agree in what the class is made of.",
        "`augment` is a hyper-parameter of SimCLR; `ssl.pretrained` takes the pair, `ssl.clinic_parts` gives images.",
    ),
)
def own_views(asked: Asked, probe_table: pd.DataFrame) -> str:
    given = asked(10)
    if not isinstance(given, dict) or set(given) != set(probe_table.columns):
        return "Return the dict that ssl.probe_features returns."
    if given == asked(1):
        return "One step or ten, the numbers are the same: is the network you fit the one you probe?"
    if np.isclose(number(given["class, source hospitals"]), 0.5, atol=0.05):
        return "The class is gone: do your views destroy the contour?"
    return "Plausible. Now more steps, and compare with the table of the chapter."
