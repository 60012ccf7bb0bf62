"""What a check says (`Feedback`), what an exercise knows (`Exercise`), and how an answer is tried without a traceback.

A chapter's file holds one judge an exercise: a function that tries the answer and returns a sentence. The answer has
passed where the sentence begins with "Correct" or, where many answers are possible, with "Plausible". A judge says
what is wrong and never what would be right: no value, no line of the solution.
"""

from __future__ import annotations

import dis
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

PASSES = ("Correct", "Plausible")
ONLY_A_CONSTANT = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "COPY_FREE_VARS"}


@dataclass(frozen=True, repr=False)
class Feedback:
    """What a check says about an answer, in Markdown. A notebook shows it as a sentence."""

    text: str

    @property
    def passed(self) -> bool:
        """Whether the answer is complete."""
        return self.text.startswith(PASSES)

    def _repr_markdown_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text.replace("`", "")


class NotYet(Exception):
    """Ends a judgement with this sentence. ``error`` is what the answer raised, if it raised anything."""

    def __init__(self, sentence: str, error: Exception | None = None):
        super().__init__(sentence)
        self.sentence, self.error = sentence, error


@dataclass(frozen=True)
class Exercise:
    """One exercise. ``name``: key of the chapter and number, as in "gap.1".

    ``first_step`` is what an unfinished stub is told, ``returns`` what a right answer gives back, in words; ``hints``
    go from the idea to the means. ``judge(asked, ...)`` gets an `Asked` and, by keyword, what it needs of the chapter.
    ``by_value``: the function takes no argument, so that what it returns is an answer too.
    """

    name: str
    first_step: str
    returns: str
    hints: tuple[str, ...]
    judge: Callable[..., str]
    by_value: bool = False

    def needs(self) -> list[str]:
        """The names of what the judge needs of the chapter."""
        return list(inspect.signature(self.judge).parameters)[1:]


def exercise(
    name: str, *, first_step: str, returns: str, hints: tuple[str, ...], by_value: bool = False
) -> Callable[..., Exercise]:
    """Make an `Exercise` of the judge below; `Exercise` explains the arguments."""
    return lambda judge: Exercise(name, first_step, returns, hints, judge, by_value)


class Asked:
    """A reader's answer. A call asks it: what it returns, or `NotYet` where it stops with an error or returns nothing.

    ``answer`` is a function, a class, or, where the function would take no argument, what it would return.
    """

    def __init__(self, answer: Any):
        self.answer = answer

    def __call__(self, *arguments: Any) -> Any:
        return self.run(self.answer, *arguments) if callable(self.answer) else self.answer

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)`` with the same care, for a part of the answer such as a method."""
        try:
            given = function(*arguments)
        except Exception as error:
            raise NotYet(_where_it_stopped(error), error) from error
        if given is None or given is ...:
            raise NotYet("Nothing came back: does every way through your code end in a `return`?")
        return given


def _where_it_stopped(error: Exception) -> str:
    """The error in one sentence, with the line of the answer that raised it, where its text is known."""
    inside = traceback.extract_tb(error.__traceback__)[1:]  # the first frame is ours
    what = " ".join(str(error).split())
    what = f"{type(error).__name__}: {what[:160]}" if what else type(error).__name__
    line = f", in the line `{inside[0].line}`" if inside and inside[0].line else ""
    return f"Your answer stopped with an error{line}: {what}."


def is_unfinished(answer: Any) -> bool:
    """Whether this is a stub: nothing, ``...``, or a function (a class: one of its methods) of no more than that."""
    if inspect.isclass(answer):
        return any(is_unfinished(method) for method in vars(answer).values() if inspect.isfunction(method))
    if not inspect.isfunction(answer):
        return answer is None or answer is ...
    does = {instruction.opname for instruction in dis.get_instructions(answer)}
    return does <= ONLY_A_CONSTANT and set(answer.__code__.co_consts) <= {answer.__doc__, None, ...}


def described(given: Any) -> str:
    """A value that came back, in a few words: its type, and its shape or itself where that is short."""
    kind = type(given).__name__
    if isinstance(given, torch.Tensor | np.ndarray) and given.ndim:
        return f"a {kind} of shape {tuple(given.shape)}"
    text = repr(given.item() if isinstance(given, np.generic) else given)
    return f"{text} (a {kind})" if len(text) <= 60 and "\n" not in text else f"a {kind}"


def number(given: Any) -> float:
    """What came back as a float; `NotYet` where it is not one number (or not a finite one)."""
    given = given.detach() if isinstance(given, torch.Tensor) else given
    try:
        value = float(given) if not isinstance(given, complex) else np.nan
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"One number is asked for, and {described(given)} came back.") from None
    if not np.isfinite(value) or isinstance(given, str):
        raise NotYet(f"A finite number is asked for, and {described(given)} came back.")
    return value


def numbers(given: Any, count: int) -> list[float]:
    """What came back as this many floats; `NotYet` where it is something else."""
    in_a_row = isinstance(given, tuple | list) or getattr(given, "ndim", 0) == 1
    if not in_a_row or len(given) != count:
        raise NotYet(f"{count} numbers are asked for, and {described(given)} came back.")
    return [number(value) for value in given]


def tensor(given: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """What came back, if it is a tensor of this shape; `NotYet` where it is something else."""
    if not isinstance(given, torch.Tensor) or tuple(given.shape) != shape:
        raise NotYet(f"A tensor of shape {shape} is asked for, and {described(given)} came back.")
    return given
