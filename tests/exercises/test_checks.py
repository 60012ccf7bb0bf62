"""Every check of every chapter tells right from wrong, helps in steps, gives nothing away and never stops."""

import ast
import inspect
import re
import sys
from functools import cache

import numpy as np
import pytest
import torch

from medgen_utils.exercises import check
from medgen_utils.exercises.checks import EXERCISES, wrong_calls
from tests.exercises.asking import FOUND, MASTERS, answer, ask
from tools.teach import exercises

every_exercise = pytest.mark.parametrize("key", FOUND)
every_mistake = pytest.mark.parametrize(
    ("key", "number"), [(key, number) for key, (_, found) in FOUND.items() for number in range(len(found.wrong))]
)


def strange(*arguments):
    """An answer that stops with an error."""
    return {}["nothing"]


STRANGE = {
    "a word": lambda *a: "a word",
    "an empty list": lambda *a: [],
    "a list of words": lambda *a: ["a", "b", "c"],
    "a dictionary": lambda *a: {"a": 1},
    "not a number": lambda *a: float("nan"),
    "a large tensor": lambda *a: torch.zeros(7, 5),
    "complex numbers": lambda *a: np.array([1j, 2j]),
    "itself": lambda *a: strange,
    "nothing": lambda *a: print("", end=""),
    "an error": strange,
    "no arguments": lambda: 1,
    "a class": int,
}


def flat(given) -> list[float]:
    """The numbers in what was returned or passed."""
    try:
        return [float(value) for value in np.asarray(given, dtype=float).ravel()]
    except (TypeError, ValueError):
        return [value for part in given for value in flat(part)] if isinstance(given, tuple | list) else []


def recorded(function, calls: list):
    """The function, which notes what it was given and what it returned."""

    def noting(*arguments):
        calls.append((flat(list(arguments)), flat(result := function(*arguments))))
        return result

    return noting


@cache
def said_to(key: str, code: str) -> tuple[str, list]:
    """What the check says to this code, and what it asked and got; asked once, because some answers train."""
    given, calls = answer(key, code), []
    whole = inspect.isclass(given) or EXERCISES[key].by_value
    return ask(key, given if whole else recorded(given, calls)).text, calls


@every_exercise
def test_the_solution_passes(key):
    said, _ = said_to(key, FOUND[key][1].solution)
    assert said.startswith(("Correct", "Plausible")), said


@every_exercise
def test_the_stub_is_refused_with_a_first_step(key):
    feedback = ask(key, answer(key, exercises.cut(FOUND[key][1].solution)), hint=None)
    assert not feedback.passed
    assert feedback.text == f"Not started yet: {EXERCISES[key].first_step} For a hint add `hint=1` to the call."


@every_mistake
def test_a_typical_mistake_is_told_what_is_wrong(key, number):
    wrong = FOUND[key][1].wrong[number]
    said, _ = said_to(key, wrong["code"])
    assert said.startswith("Not yet. ")
    assert wrong["hint"] in said


@every_exercise
@pytest.mark.parametrize("given", STRANGE.values(), ids=STRANGE)
def test_a_strange_answer_is_told_so_without_a_traceback(key, given):
    feedback = ask(key, given)
    assert not feedback.passed
    assert feedback.text.startswith("Not yet. ")
    assert len(feedback.text) < 400


@every_exercise
@pytest.mark.parametrize("given", [0.5, "text", None, ..., [1, 2], np.zeros(3)], ids=str)
def test_a_value_in_place_of_a_function_is_told_so(key, given):
    assert not ask(key, given).passed


def pieces(code: str) -> set[str]:
    """The expressions between the marks of a solution that say more than a name."""
    tree = ast.parse(code)
    first = next(number for number, line in enumerate(code.split("\n"), 1) if line.strip() == exercises.BEGIN)
    kinds = ast.Call | ast.BinOp | ast.Compare | ast.Subscript | ast.Tuple | ast.ListComp
    found = (node for node in ast.walk(tree) if isinstance(node, kinds) and node.lineno > first)
    return {text for node in found if len(text := squeezed(ast.unparse(node))) >= 12}


def squeezed(text: str) -> str:
    return re.sub(r"[\s`]", "", text).replace('"', "'")


@every_exercise
def test_no_text_of_the_check_holds_a_piece_of_the_solution(key):
    judge = ast.parse(inspect.getsource(sys.modules[EXERCISES[key].judge.__module__]))
    sentences = [
        node.value for node in ast.walk(judge) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    text = squeezed(" | ".join([*sentences, EXERCISES[key].first_step, *EXERCISES[key].hints]))
    assert [piece for piece in pieces(FOUND[key][1].solution) if piece in text] == []


@every_mistake
def test_no_check_prints_the_number_that_is_asked_for(key, number):
    _, of_right = said_to(key, FOUND[key][1].solution)
    said, of_wrong = said_to(key, FOUND[key][1].wrong[number]["code"])
    known = [value for passed, _ in of_right + of_wrong for value in passed] + [v for _, own in of_wrong for v in own]
    for printed in re.findall(r"\d+\.\d+|\d+", said):
        margin = 0.5 * 10 ** -len(printed.partition(".")[2]) if "." in printed else 1e-9
        near = [value for _, results in of_right for value in results if abs(value - float(printed)) < margin]
        assert not near or any(abs(value - float(printed)) <= margin for value in known), (printed, said)


@every_exercise
def test_two_typical_mistakes_are_known_and_two_hints(key):
    assert len(FOUND[key][1].wrong) >= 2
    assert len(EXERCISES[key].hints) >= 2


def test_every_check_has_its_exercise():
    assert list(FOUND) == [key for chapter in MASTERS for key in MASTERS[chapter]]
    assert set(EXERCISES) == set(FOUND)


def test_hints_come_one_a_wrong_try():
    wrong_calls.clear()
    one, two = EXERCISES["gap.1"].hints
    said = [check("gap.1", lambda matrix: "a").text for _ in range(4)]
    assert "Hint" not in said[0]
    assert "next try" in said[0]
    assert said[1].endswith(f"Hint 1 of 2: {one}")
    assert said[2].endswith(f"Hint 2 of 2: {two}")
    assert said[3] == said[2]
    assert "Hint" not in check("shift.1", lambda *a: 2.0).text, "each exercise counts its own tries"


def test_a_hint_can_be_asked_for_before_the_first_try():
    def stub(matrix):
        """What it returns."""
        ...

    assert check("gap.1", stub, hint=2).text.endswith(f"Hint 2 of 2: {EXERCISES['gap.1'].hints[1]}")
    assert check("gap.1", lambda matrix: "a", hint=2).text.endswith(f"Hint 2 of 2: {EXERCISES['gap.1'].hints[1]}")


def test_asking_for_a_hint_or_for_none_is_no_try():
    wrong_calls.clear()
    for hint in (0, 1, 2):
        check("gap.1", lambda matrix: "a", hint=hint)
    assert wrong_calls["gap.1"] == 0


def test_an_answer_without_arguments_may_be_a_value():
    assert check("meta.3", (0.95, 0.55, 0.95)).passed
    assert check("meta.3", lambda: (0.95, 0.55, 0.95)).passed


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("gap.9", {}, "no exercise 'gap.9': one of gap.1, "),
        ("gap.1", {"hint": 3}, "gap.1 has the hints 1 to 2"),
        ("gap.3", {}, r"takes \['hospitals'\]"),
        ("gap.1", {"hospitals": []}, "nothing more"),
    ],
)
def test_a_wrong_call_is_an_error_of_the_caller(name, arguments, said):
    with pytest.raises(ValueError, match=said):
        check(name, lambda *a: 1, **arguments)
