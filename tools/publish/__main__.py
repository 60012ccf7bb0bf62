"""Give the book an address, and say what remains before it is public: ``make publish-check [ADDRESS=...]``.

``ADDRESS=https://github.com/OWNER/NAME`` writes the address into pyproject.toml, makes the archive that the set-up
cells install, and stamps all that follows; ``ADDRESS=none`` takes it out; without ADDRESS nothing is changed. Then
versions, stamps, workflows and archive are checked (exit status 1 where something is wrong), and the steps of
chapters/publish.md that are still to do are listed.
"""

import sys

from tools.address import wanted
from tools.publish import steps


def main(arguments: list[str]) -> int:
    """``[ADDRESS]``: a repository, "none", or nothing. 1 where something is wrong, 2 for no address of a repository."""
    if arguments and arguments[0]:
        try:
            changed = steps.write("" if arguments[0] == "none" else arguments[0])
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"Stamped, {len(changed)} files changed: read `git diff`, and commit them.")
    address = wanted()
    print(f"Address: {address.repository or 'none'}   site: {address.pages or 'none'}   version: {address.version}")
    wrong = steps.problems()
    print(*(f"WRONG  {what}" for what in wrong), *(f"TO DO  {what}" for what in steps.remaining()), sep="\n")
    print("The steps are explained in chapters/publish.md.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
