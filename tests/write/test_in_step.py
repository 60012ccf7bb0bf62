"""What stands between two marks is replaced, and nothing else; files are written only where they change."""

import pytest

from tools.write import in_step


@pytest.mark.parametrize("old", ["", "old\n\n", "two\n\nparagraphs\n\n"])
def test_a_part_stands_between_its_marks_with_an_empty_line_on_both_sides(old):
    text = f"before\n% begin\n\n{old}% end\nafter\n"
    expected = "before\n% begin\n\nnew\n\n% end\nafter\n"
    assert in_step.between(text, "% begin", "% end", "new", "page.md") == expected
    assert in_step.between(expected, "% begin", "% end", "new", "page.md") == expected


@pytest.mark.parametrize("text", ["", "% begin\n", "% end\n", "% end\n% begin\n"])
def test_a_page_without_both_marks_in_order_is_named(text):
    with pytest.raises(ValueError, match=r"page\.md has no place .*'% begin' and '% end'"):
        in_step.between(text, "% begin", "% end", "new", "page.md")


def test_only_what_changed_is_written_and_a_check_writes_nothing(tmp_path):
    same, other, new = tmp_path / "same", tmp_path / "other", tmp_path / "deep" / "new"
    same.write_text("a")
    other.write_text("b")
    wanted = {same: "a", other: "c", new: "d"}
    assert in_step.write_changed(wanted, tmp_path, write=False) == ["other", "deep/new"]
    assert other.read_text() == "b" and not new.exists()
    in_step.write_changed(wanted, tmp_path, write=True)
    assert other.read_text() == "c" and new.read_text() == "d"
