"""Write everything that is derived from something else: ``make write``, or ``python -m tools.write``.

Address and version (`stamp`), quizzes and exercises (`cells`), the numbers of the chapters' outputs (`results`), the
claims that rest on them (`tools.claims`), the live pages alone (`alone`), the literature map (`tools.atlas`), the
experiment on the home page (`tools.home`): in this order, because one may read what another wrote; last what the
package says of its data (`datasets`), and how long chapters take (`times`).
``--check`` changes nothing, names the files that are out of step and ends with exit status 1 (`make lint`).
"""

import argparse
import sys

from tools import home
from tools.atlas import page as atlas
from tools.claims import page as claims
from tools.write import alone, cells, datasets, results, stamp, times

STEPS = {
    "address and version of pyproject.toml": stamp.update,
    "quizzes and exercises": cells.update,
    "numbers of the outputs": results.update,
    "claims": claims.update,
    "live pages alone": alone.update,
    "literature map": atlas.update,
    "experiment on the home page": home.update,
    "provenance and pictures of the data page": datasets.update,
    "times to read and to run": times.update,
}


def main(arguments: list[str] | None = None) -> int:
    """Run every step; 1 where ``--check`` finds a file out of step, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail where something would change")
    check = parser.parse_args(arguments).check
    changed = {what: names for what, step in STEPS.items() if (names := step(write=not check))}
    for what, names in changed.items():
        print(f"Out of step (run `make write`): {what}" if check else f"Written: {what}", *names, sep="\n  ")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
