"""Numbers in the text of a live page: `{{ name }}` in the page, its value in the front matter."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml


def with_numbers(page: str, numbers: Mapping[str, str], source: str) -> str:
    """The text of a page with those of the numbers that it uses in its front matter; ``source`` says who wrote them."""
    used = set(re.findall(r"\{\{ (\w+) \}\}", page))
    front = {"myst": {"substitutions": {name: value for name, value in numbers.items() if name in used}}}
    body = page.split("---\n", 2)[2] if page.startswith("---\n") else page
    return f"---\n# Written by {source}.\n{yaml.safe_dump(front)}---\n{body}"
