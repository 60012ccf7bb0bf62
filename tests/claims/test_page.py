"""The page of claims, their summary on the home page, and the links in the cards of chapters."""

import json
import shutil

import pytest

from tests.claims.examples import GOOD, code, replace, write_claims
from tools import ROOT
from tools.claims import ledger, page
from tools.write import results


def test_page_and_summary_are_those_of_the_claims():
    assert page.update(write=False) == [], "run `make write`"


def test_page_shows_the_claim(book):
    text = (book / "chapters" / "claims.md").read_text()
    assert "(claim-gap)=\n### There is a gap" in text
    assert "A model loses. ([Key & Lock 2020](references.md#ref-key2020), [doi](https://doi.org/10.1/2))" in text
    assert "It is 0.10 (0.05 to 0.15), of 0.90 (0.80 to 0.90)." in text
    assert "[A chapter: The experiment](one.ipynb#cell-words)" in text
    assert '<span aria-hidden="true">●</span>&nbsp;Reproduced.** The interval excludes zero.' in text


def test_home_page_keeps_what_is_not_ours(book):
    home = (book / "chapters" / "index.md").read_text()
    assert home.startswith("# Home\n")
    assert home.endswith("\n\nThe end.\n")
    assert "[There is a gap](claims.md#claim-gap)" in home


def test_the_card_of_a_chapter_links_its_claims(book):
    path = book / "chapters" / "one.ipynb"
    card = "".join(json.loads(path.read_text())["cells"][0]["source"])
    line = "**Claims.** Examined here, each with a verdict: [There is a gap](claims.md#claim-gap)."
    assert card.endswith(f"**Time.** Short.\n\n{line}\n\n</div>")
    replace(path, "There is a gap", "There is no gap")
    assert page.update(book, write=False) == ["chapters/one.ipynb"]
    assert page.update(book) == ["chapters/one.ipynb"]
    assert page.update(book, write=False) == []


def test_a_changed_result_file_is_noticed(book):
    replace(book / "chapters" / "results" / "one.csv", "0.05", "0.06")
    assert results.update(book, write=False) == ["chapters/results/one.csv"]
    assert set(page.update(book, write=False)) == {"chapters/claims.md", "chapters/index.md"}


@pytest.mark.parametrize("name", ["claims.md", "index.md"])
def test_a_changed_page_is_noticed_and_written_again(book, name):
    replace(book / "chapters" / name, "0.05", "0.06")
    assert page.update(book, write=False) == [f"chapters/{name}"]
    assert page.update(book) == [f"chapters/{name}"]
    assert page.update(book, write=False) == []


def test_a_home_page_without_its_place_is_refused(book):
    shutil.copy(book / "chapters" / "claims.md", book / "chapters" / "index.md")
    with pytest.raises(ValueError, match=r"index\.md has no place .*% claims"):
        page.update(book)


def test_a_claim_says_its_null_rate_and_leads_to_its_figure(book):
    text = (book / "chapters" / "claims.md").read_text()
    assert "**No null rate:** a made-up book." in text and "[its figure]" not in text
    path = book / "chapters" / "one.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"].insert(3, code("drawing", {"image/png": "iVBO"}))
    path.write_text(json.dumps(notebook))
    page.update(book)
    assert "See [its figure](one.ipynb#cell-drawing)." in (book / "chapters" / "claims.md").read_text()


def test_a_claim_of_a_past_protocol_says_so_first(book):
    write_claims(book, GOOD | {"verdict": "open", "protocol": 0})
    page.update(book)
    text = (book / "chapters" / "claims.md").read_text()
    assert f"From runs of protocol 0, {ledger.PAST_PROTOCOLS[0]}: it is 0.10" in text


def test_every_verdict_has_its_rule_of_style():
    style = (ROOT / "chapters" / "_static" / "custom.css").read_text(encoding="utf-8")
    names = map(page.name_of, ledger.VERDICTS)
    assert [name for name in names if style.count(f"#mg-show-{name}:checked) ") != 1] == []


def test_a_reader_picks_a_verdict_by_keyboard(browser):
    claims = [ledger.load()[0]._replace(id=str(k), verdict=verdict) for k, verdict in enumerate(ledger.VERDICTS)]
    cards = [f'<section><h3>{one.verdict}</h3><div class="mg-claim mg-is-{page.name_of(one.verdict)}">x</div></section>'
             for one in claims]  # fmt: skip
    tab = browser.new_page()
    tab.set_content(
        f"<main>{''.join(page.chooser(claims))}<section><h2>First</h2>{''.join(cards[:2])}</section>"
        f"<section><h2>Second</h2>{''.join(cards[2:])}</section></main>"
    )
    tab.add_style_tag(path=ROOT / "chapters" / "_static" / "custom.css")
    shown = tab.locator("h2:visible, h3:visible")
    assert shown.count() == 2 + len(claims)
    tab.get_by_role("radio", name=f"All ({len(claims)})").focus()
    tab.keyboard.press("ArrowDown")
    assert shown.all_inner_texts() == ["First", "reproduced"]
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    assert shown.all_inner_texts() == ["Second", "not at this scale"]
    tab.get_by_role("radio", name="All").check()
    assert shown.count() == 2 + len(claims)
    tab.close()
