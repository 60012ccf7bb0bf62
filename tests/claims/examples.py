"""A claim and the outputs it rests on, in the smallest book."""

from pathlib import Path

import yaml

TABLE = (
    '<table border="1" class="dataframe"><thead>'
    "<tr><th></th><th></th><th colspan='2'>score</th></tr><tr><th></th><th></th><th>mean</th><th>low</th></tr>"
    "<tr><th>data</th><th>method</th><th></th><th></th></tr></thead><tbody>"
    "<tr><th rowspan='2'>breast</th><th>A</th><td>0.90</td><td>0.80</td></tr>"
    "<tr><th>B</th><td>-0.10</td><td>GE Logiq 7</td></tr></tbody></table>"
)
GOOD = {
    "id": "gap",
    "title": "There is a gap",
    "statement": "A model loses.",
    "sources": ["key2020"],
    "chapter": "one",
    "cell": "words",
    "values": {
        "gap": {"row": "Gap", "column": 1},
        "mean": {
            "cell": "table",
            "row": "breast / A",
            "column": "score / mean",
            "low": "score / low",
            "high": "score / mean",
        },
    },
    "result": "It is {gap}, of {mean}.",
    "holds": ["gap.low > 0", "0 < gap.value <= mean"],
    "verdict": "reproduced",
    "because": "The interval excludes zero.",
    "null_rate": "a made-up book",
    "headline": True,
}


def markdown(source: str) -> dict:
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source}


def code(name: str, data: dict) -> dict:
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    return {"cell_type": "code", "id": name, "metadata": {}, "source": "", "outputs": [output]}


def write_claims(root: Path, claim: dict) -> None:
    text = yaml.safe_dump([{"question": "Why?", "claims": [claim]}])
    (root / "chapters" / "claims.yml").write_text(text)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
