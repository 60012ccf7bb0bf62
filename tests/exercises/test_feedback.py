"""A stub is told from an answer, and whatever comes back is read or described in words."""

import numpy as np
import pytest
import torch

from medgen_utils.exercises.feedback import Asked, Feedback, NotYet, described, is_unfinished, number, numbers, tensor


def stub(x):
    """What it returns."""
    ...


def only_words(x):
    """What it returns."""


def passing(x):
    pass


def identity(x):
    """What it returns."""
    return x


def constant():
    return 3


def changing(x):
    x.append(1)


class StubOfAMethod:
    """What it is."""

    def method(self, x):
        """What it returns."""
        ...


class Whole:
    def method(self, x):
        return x


@pytest.mark.parametrize("answer", [stub, only_words, passing, StubOfAMethod, None, ...])
def test_a_stub_is_unfinished(answer):
    assert is_unfinished(answer)


@pytest.mark.parametrize(
    "answer",
    [identity, constant, changing, Whole, len, 0, "", (), np.zeros(2)],
    ids=lambda answer: getattr(answer, "__name__", repr(answer)),
)
def test_an_answer_is_not_unfinished(answer):
    assert not is_unfinished(answer)


def test_feedback_shows_its_sentence():
    feedback = Feedback("Correct: `f` is right.")
    assert feedback.passed
    assert feedback._repr_markdown_() == "Correct: `f` is right."
    assert repr(feedback) == str(feedback) == "Correct: f is right."
    assert Feedback("Plausible.").passed
    assert not Feedback("Not yet. Correct the sign.").passed


def test_an_error_of_the_answer_is_named_with_its_line():
    def answer(x):
        return 1 / x

    with pytest.raises(NotYet) as stopped:
        Asked(answer)(0)
    assert "in the line `return 1 / x`: ZeroDivisionError" in stopped.value.sentence
    assert isinstance(stopped.value.error, ZeroDivisionError)


@pytest.mark.parametrize("nothing", [None, ...])
def test_nothing_returned_is_said(nothing):
    with pytest.raises(NotYet, match="Nothing came back"):
        Asked(lambda: nothing)()


def test_a_value_answers_for_a_function_without_arguments():
    assert Asked(3)() == Asked(lambda: 3)() == 3


@pytest.mark.parametrize("given", [2, 2.0, np.float32(2), torch.tensor(2.0), np.array(2.0)], ids=repr)
def test_number_reads_one_number(given):
    assert number(given) == 2


@pytest.mark.parametrize("given", ["2", None, [2, 3], torch.zeros(3), float("nan"), np.inf, 1j, {}], ids=repr)
def test_number_refuses_anything_else(given):
    with pytest.raises(NotYet, match="number is asked for, and "):
        number(given)


def test_numbers_reads_so_many():
    assert numbers((1, torch.tensor(2.0)), 2) == numbers(np.array([1, 2]), 2) == [1, 2]


@pytest.mark.parametrize("given", [1, (1,), (1, 2, 3), "12", {1: 2, 3: 4}, torch.tensor(1.0)], ids=repr)
def test_numbers_refuses_another_count(given):
    with pytest.raises(NotYet, match="2 numbers are asked for, and "):
        numbers(given, 2)


def test_tensor_refuses_another_shape():
    assert tensor(torch.ones(2), (2,)).sum() == 2
    for given in (torch.ones(3), np.ones(2), 1.0):
        with pytest.raises(NotYet, match=r"A tensor of shape \(2,\)"):
            tensor(given, (2,))


def test_described_is_short():
    assert described(0.5) == "0.5 (a float)"
    assert described(torch.zeros(3, 4)) == "a Tensor of shape (3, 4)"
    assert described(list(range(1000))) == "a list"
