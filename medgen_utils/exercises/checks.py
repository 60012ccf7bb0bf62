"""`check`: what a reader calls after an exercise. Serves the exercises of all chapters."""

from __future__ import annotations

import inspect
from collections import Counter
from types import ModuleType
from typing import Any

from medgen_utils.exercises import (
    concept_shift,
    data_augmentation,
    domain_shift,
    evaluation_protocols,
    evaluation_reports,
    feature_alignment,
    generalization_gap,
    meta_learning,
    outlook,
    pretraining,
    scoreboard,
    self_supervision,
)
from medgen_utils.exercises.feedback import Asked, Exercise, Feedback, NotYet, is_unfinished

CHAPTERS: tuple[ModuleType, ...] = (
    generalization_gap, domain_shift, concept_shift, data_augmentation, feature_alignment, meta_learning,
    self_supervision, pretraining, evaluation_protocols, evaluation_reports, scoreboard, outlook,
)  # fmt: skip
EXERCISES: dict[str, Exercise] = {
    found.name: found for chapter in CHAPTERS for found in vars(chapter).values() if isinstance(found, Exercise)
}
wrong_calls: Counter[str] = Counter()  # of this session: each further one earns the next hint


def find(name: str) -> Exercise:
    """The exercise of this name. ValueError where there is none."""
    if name not in EXERCISES:
        raise ValueError(f"no exercise {name!r}: one of {', '.join(EXERCISES)}")
    return EXERCISES[name]


def check(name: str, answer: Any, *, hint: int | None = None, **context: Any) -> Feedback:
    """Say whether the answer to the exercise ``name`` ("gap.1") is right, and if not, what is wrong with it.

    ``answer`` is your function itself, not called; where it takes no argument, what it returns will do as well.
    ``context`` is what the check needs of the chapter: ``check("gap.3", score_of_scanner, hospitals=hospitals)``.
    Every further call with a wrong answer adds the next hint; ``hint=2`` shows the second one at once, 0 shows none.
    The answer never raises here. ValueError for an unknown exercise, hint or context.
    """
    exercise = find(name)
    if missing := set(exercise.needs()) ^ set(context):
        raise ValueError(f"check({name!r}, ...) takes {exercise.needs() or 'nothing more'}: see {sorted(missing)}")
    if hint is not None and not 0 <= hint <= len(exercise.hints):
        raise ValueError(f"hint={hint}: {name} has the hints 1 to {len(exercise.hints)}")
    if is_unfinished(answer):
        return not_started(name, hint)
    said = _judged(exercise, answer, context)
    if Feedback(said).passed:
        return Feedback(said)
    if hint is None:
        hint = min(wrong_calls[name], len(exercise.hints))
        wrong_calls[name] += 1
        said += "" if hint else " (Stuck? The next try that fails shows a hint.)"
    return Feedback(f"Not yet. {said}{_hint(exercise, hint)}")


def not_started(name: str, hint: int | None = None) -> Feedback:
    """What the check of this exercise says to its stub, which the page shows before anyone has answered."""
    exercise = find(name)
    return Feedback(
        f"Not started yet: {exercise.first_step}{_hint(exercise, hint) or ' For a hint add `hint=1` to the call.'}"
    )


def _hint(exercise: Exercise, number: int | None) -> str:
    return f" Hint {number} of {len(exercise.hints)}: {exercise.hints[number - 1]}" if number else ""


def _judged(exercise: Exercise, answer: Any, context: dict[str, Any]) -> str:
    """The sentence of the judge, whatever the answer does."""
    takes_arguments = inspect.isclass(answer) or callable(answer)
    if not takes_arguments and not exercise.by_value:
        return f'Pass your function itself, without calling it: `check("{exercise.name}", your_function)`.'
    try:
        return exercise.judge(Asked(answer), **context)
    except NotYet as stopped:
        return stopped.sentence
    except Exception as error:  # what came back is of a kind that no line of the judge foresaw
        return f"The check cannot use what came back ({type(error).__name__}). Asked for: {exercise.returns}."
