"""Every text that shows the address is a sentence with it and without it."""

import pytest
import yaml

from tools.address import Address
from tools.publish import texts

MINE, NONE = Address("owner/name", "7.8.9"), Address("", "7.8.9")


@pytest.mark.parametrize("name", texts.TEMPLATES)
def test_a_text_shows_the_address_where_there_is_one_and_no_link_where_there_is_none(name):
    shown, without = texts.TEMPLATES[name](MINE), texts.TEMPLATES[name](NONE)
    assert name == "course" or "/owner/name" in shown
    assert "http" not in without.replace("ADDRESS=https://github.com/OWNER/NAME", "")


def test_the_lines_of_yaml_files_are_yaml():
    assert yaml.safe_load(texts.citation(MINE)) == {
        "version": "7.8.9", "repository-code": MINE.repository, "url": MINE.pages,
    }  # fmt: skip
    assert yaml.safe_load(texts.citation(NONE)) == {"version": "7.8.9"}
    assert all(link["url"].startswith("https://") for link in yaml.safe_load(texts.contacts(MINE))["contact_links"])


def test_zenodo_names_persons_by_family_name_first():
    person = {"given-names": "Ada", "family-names": "Doe", "orcid": "https://orcid.org/0000-0001", "affiliation": "X"}
    assert texts.creator(person) == {"name": "Doe, Ada", "affiliation": "X", "orcid": "0000-0001"}
    assert texts.creator({"name": "The group"}) == {"name": "The group"}
