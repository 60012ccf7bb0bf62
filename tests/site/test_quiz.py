"""Quizzes in a browser: the reader commits to an answer, then sees the comments; everything else is folded text."""

import pytest
import yaml

from tests.site import sample
from tests.site.test_site import SITE
from tools import ROOT

QUESTION = "<h2>Check yourself</h2><p>Which of the three?</p>"


def option(letter: str, text: str, comment: str) -> str:
    return f"<details><summary>{letter}. {text}</summary>\n<p>{comment}</p>\n</details>\n"


THREE = (
    option("A", 'the mean <span class="math">x</span>', "Comment one.")
    + option("B", "the median", "Comment two.")
    + option("C", "the mode", "Comment three.")
)
SCRIPTS = ("book.js", "quiz.js")


@pytest.fixture
def visit(browser, tmp_path):
    """Opens a page with this body in a context of its own, and closes it in the end."""
    contexts = []

    def opened(body: str, **options):
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        tab.goto(sample.write(tmp_path, body, *SCRIPTS))
        return tab

    yield opened
    for context in contexts:
        context.close()


def commit(tab, answer: str) -> None:
    tab.get_by_role("radio", name=answer).check()
    tab.get_by_role("button", name="Commit").click()


def test_nothing_is_told_before_the_reader_commits(visit):
    tab = visit(QUESTION + THREE)
    assert tab.get_by_role("radio").count() == 3
    assert tab.get_by_text("Comment").filter(visible=True).count() == 0
    group = tab.get_by_role("group", name="Choose and commit")
    assert tab.locator(f"#{group.get_attribute('aria-describedby')}").inner_text() == "Which of the three?"


def test_your_comment_comes_first_then_the_others(visit):
    tab = visit(QUESTION + THREE)
    commit(tab, "the median")
    assert tab.get_by_text("Comment two.").is_visible()
    assert tab.get_by_text("Comment one.").is_hidden() and tab.get_by_text("Comment three.").is_hidden()
    assert tab.locator("details[open] summary").inner_text().startswith("Your answer B. the median")
    assert tab.get_by_role("radio").filter(visible=True).count() == 0
    tab.get_by_role("button", name="Comments on the other answers").click()
    assert tab.get_by_text("Comment").filter(visible=True).count() == 3
    assert tab.evaluate("document.activeElement.textContent").startswith("A. the mean")


def test_the_keyboard_is_enough(visit):
    tab = visit(QUESTION + THREE)
    for key in ("Tab", "Space", "ArrowDown", "ArrowDown", "Tab", "Enter"):
        tab.keyboard.press(key)
    assert tab.get_by_text("Comment three.").is_visible()
    assert "C. the mode" in tab.evaluate("document.activeElement.textContent")
    for key in ("Tab", "Enter"):
        tab.keyboard.press(key)
    assert tab.get_by_text("Comment").filter(visible=True).count() == 3


def test_without_a_choice_it_asks_for_one(visit):
    tab = visit(QUESTION + THREE)
    tab.get_by_role("button", name="Commit").click()
    assert "Choose an answer first" in tab.get_by_role("status").inner_text()
    assert tab.evaluate("document.activeElement.value") == "A"
    assert tab.get_by_text("Comment").filter(visible=True).count() == 0


def test_an_answer_is_remembered_until_it_is_forgotten(visit):
    tab = visit(QUESTION + THREE)
    commit(tab, "the mode")
    tab.reload()
    assert tab.get_by_text("Comment three.").is_visible() and tab.get_by_text("Comment one.").is_hidden()
    tab.get_by_role("button", name="Forget my answer").click()
    assert tab.get_by_role("radio").filter(visible=True).count() == 3
    assert tab.get_by_role("radio", checked=True).count() == 0
    tab.reload()
    assert tab.get_by_text("Comment").filter(visible=True).count() == 0


def test_a_quiz_with_other_words_is_asked_again(visit, tmp_path):
    tab = visit(QUESTION + THREE)
    commit(tab, "the mode")
    sample.write(tmp_path, QUESTION + THREE.replace("the mode", "another"), *SCRIPTS)
    tab.reload()
    assert tab.get_by_role("radio").filter(visible=True).count() == 3


def test_it_works_where_the_browser_stores_nothing(visit):
    tab = visit(QUESTION + THREE)
    tab.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused'); }})")
    complaints = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.reload()
    commit(tab, "the median")
    assert tab.get_by_text("Comment two.").is_visible()
    assert complaints == []


def test_without_script_it_is_folded_text(visit):
    tab = visit(QUESTION + THREE, java_script_enabled=False)
    assert tab.locator("summary").all_inner_texts() == ["A. the mean x", "B. the median", "C. the mode"]
    tab.locator("summary").nth(1).click()
    assert tab.get_by_text("Comment two.").is_visible()
    assert tab.get_by_role("radio").count() == 0


@pytest.mark.parametrize(
    ("body", "quizzes"),
    [
        (THREE + THREE, 2),  # the second begins with A again
        (THREE + "<p>Next question</p>" + THREE, 2),
        ("<details><summary>Hint</summary><p>x</p></details><details><summary>Solution</summary><p>y</p></details>", 0),
        (option("A", "alone", "x"), 0),
        ("<details class='hide'><summary>Show code</summary><p>x</p></details>", 0),
    ],
)
def test_only_runs_of_lettered_options_are_quizzes(visit, body, quizzes):
    tab = visit(body)
    assert tab.get_by_role("button", name="Commit").count() == quizzes


def test_two_quizzes_do_not_share_an_answer(visit):
    tab = visit(THREE + "<p>Next question</p>" + THREE.replace("Comment", "Remark"))
    commit(tab.locator(".mg-quiz").nth(1), "the mode")
    tab.reload()
    assert tab.get_by_text("Remark three.").is_visible()
    assert tab.locator(".mg-quiz").nth(0).get_by_role("radio").filter(visible=True).count() == 3


@pytest.mark.parametrize("answered", [False, True])
def test_paper_shows_all_options_with_their_comments_and_formulas(visit, answered):
    tab = visit(QUESTION + THREE)
    if answered:
        commit(tab, "the median")
    before = tab.locator("article").inner_text()
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.get_by_text("Comment").filter(visible=True).count() == 3
    assert tab.locator("summary").first.inner_text() == "A. the mean x"
    assert tab.locator("button:visible, input:visible").count() == 0
    assert tab.locator(".math").count() == 1
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    tab.emulate_media(media="screen")
    assert tab.locator("article").inner_text() == before


def test_axe_finds_nothing_before_and_after(visit, axe):
    tab = visit(QUESTION + THREE)
    for _ in range(2):
        tab.evaluate(axe)
        found = tab.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
        if tab.get_by_role("radio").first.is_visible():
            commit(tab, "the mean")


@pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: run `make book` first")
@pytest.mark.parametrize("path", sorted((ROOT / "chapters/quizzes").glob("*.yml")), ids=lambda path: path.stem)
def test_every_question_of_a_chapter_asks_on_the_site(browser, address, path):
    blocks = yaml.safe_load(path.read_text(encoding="utf-8"))
    questions = [question for block in blocks for question in block["questions"]]
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{address}chapters/{path.stem}.html")
    assert tab.locator(".mg-quiz").count() == len(questions)
    assert tab.locator(".mg-quiz input").count() == sum(len(question["options"]) for question in questions)
    context.close()
