"""The quizzes: as data, as cells of the chapters, and as files for class that say the same."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tools import ROOT
from tools.teach import outline, quizzes

CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def questions(chapter: str) -> list[dict]:
    return [question for block in quizzes.read(chapter) for question in block["questions"]]


def parse_gift(text: str) -> dict[str, dict]:
    """GIFT as Moodle reads it: questions between blank lines; name -> text, options as (weight, text, feedback)."""
    hidden = {f"\\{sign}": f"&&{ord(sign):03d};" for sign in "\\:#={}~"}
    found = {}
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.split("\n") if not line.startswith(("//", "$CATEGORY"))]
        block = "\n".join(lines).strip()
        for escaped, code in hidden.items():
            block = block.replace(escaped, code)
        if not block:
            continue
        name, stem, answers = re.fullmatch(r"::(.*?)::\[html\](.*?)\{(.*)\}", block, re.DOTALL).groups()
        options = []
        for mark, weight, answer in re.findall(r"([=~])(?:%([\d.]+)%)?([^=~]*)", answers):
            option, feedback = answer.split("#")
            options.append((100.0 if mark == "=" else float(weight or 0), option, feedback))
        assert "~" in answers, "without a wrong answer Moodle takes it for a short answer"
        assert "=" in answers, "without '=' Moodle lets the student tick several options"
        found[plain(name)] = {"text": plain(stem), "options": [(w, plain(o), plain(f)) for w, o, f in options]}
    return found


def plain(text: str) -> str:
    return re.sub(r"&&(\d{3});", lambda code: chr(int(code[1])), text).strip()


@every_chapter
def test_two_blocks_or_more_and_a_feedback_of_its_own_for_each_option(chapter):
    assert len(quizzes.read(chapter)) >= 2
    for question in questions(chapter):
        assert len({option["feedback"] for option in question["options"]}) == len(question["options"]) >= 3


def test_the_right_answer_does_not_sit_in_one_place():
    places = Counter(
        next(i for i, option in enumerate(question["options"]) if option.get("correct"))
        for chapter in CHAPTERS
        for question in questions(chapter)
        if not question.get("prediction")
    )
    assert all(places[place] >= sum(places.values()) / 6 for place in range(3)), places


@every_chapter
def test_gift_says_what_the_file_says(chapter):
    parsed = parse_gift(quizzes.gift(chapter, quizzes.read(chapter), to_html=str))
    assert list(parsed) == [question["name"] for question in questions(chapter)]
    for question in questions(chapter):
        given_back = parsed[question["name"]]
        assert question["text"].strip().replace("\n", " ") in given_back["text"]
        for option, (weight, text, feedback) in zip(question["options"], given_back["options"], strict=True):
            assert (text, feedback) == (option["text"], option["feedback"])
            assert weight == (100 if option.get("correct") or question.get("prediction") else 0)


@given(st.text(alphabet="a \\~=#{}:%\n$", min_size=1).filter(str.strip))
def test_gift_gives_every_sign_back(text):
    block = {"block": "b", "questions": [{"name": "n", "text": text, "options": []}]}
    for correct in (True, False):
        block["questions"][0]["options"].append({"text": f"x{text}x", "feedback": f"y{text}y", "correct": correct})
    parsed = parse_gift(quizzes.gift("chapter", [block], to_html=str))["n"]
    one_line = [re.sub(r"\s*\n\s*", " ", f"{edge}{text}{edge}") for edge in "xy"]
    assert parsed["options"] == [(100, *one_line), (0, *one_line)]


@every_chapter
def test_the_sheet_has_no_answers_and_the_key_has_all(chapter):
    blocks = quizzes.read(chapter)
    sheet, key = (quizzes.sheet(blocks, outline.to_html, key) for key in (False, True))
    for question in questions(chapter):
        for option in question["options"]:
            feedback = outline.to_html(option["feedback"]).strip()
            assert feedback in key
            assert feedback not in sheet
    assert key.count("✓") + key.count("&#x2713;") == sum(
        not question.get("prediction") for question in questions(chapter)
    )
    assert "&#x2713;" not in sheet


def quiz_file(folder: Path, **option) -> Path:
    options = [{"text": "a", "feedback": "fa", "correct": True}, {"text": "b", "feedback": "fb"} | option]
    (folder / "chapters" / "quizzes").mkdir(parents=True)
    blocks = [{"block": "Predict first", "questions": [{"name": "n", "text": "What?", "options": options}]}]
    (folder / "chapters" / "quizzes" / "x.yml").write_text(yaml.safe_dump(blocks))
    return folder


@pytest.mark.parametrize("option", [{"correct": True}, {"feedback": " "}, {"text": ""}], ids=lambda option: str(option))
def test_a_question_that_is_not_whole_is_refused(tmp_path, option):
    with pytest.raises(ValueError, match=r"x\.yml, n"):
        quizzes.read("x", quiz_file(tmp_path, **option))


def test_two_blocks_of_one_name_are_refused(tmp_path):
    path = quiz_file(tmp_path) / "chapters" / "quizzes" / "x.yml"
    path.write_text(path.read_text() * 2)
    with pytest.raises(ValueError, match=r"x\.yml: \['Predict first'\] name two blocks"):
        quizzes.read("x", tmp_path)
