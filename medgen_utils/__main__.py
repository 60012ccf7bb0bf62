"""``python -m medgen_utils audit predictions.csv ...``: the audit of `medgen_utils.audit` from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from medgen_utils.audit.read import read_predictions
from medgen_utils.audit.report import audit
from medgen_utils.audit.write import check_folder

EXAMPLE = """example:
  python -m medgen_utils audit predictions.csv --label y --prob p --domain hospital \\
      --group patient --reference internal --out report/
One row per image. Several models: repeat --prob, or name the model of each row with --model and --id."""


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    top = argparse.ArgumentParser(prog="python -m medgen_utils")
    commands = top.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "audit",
        help="performance, calibration and gaps by domain, from predictions alone",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("csv", type=Path, help="the predictions, a CSV with a header")
    add("--label", default="y", help="column of the true class: 0, 1 ... (default: y)")
    add("--positive", help="where --label holds two words: the one that is class 1")
    add(
        "--prob",
        action="append",
        help="column with the probability of class 1, or P for columns P_0 ... P_k; repeat it",
    )
    add("--model", help="column that names the model of each row; needs --id")
    add("--id", dest="identity", help="column that identifies the image")
    add("--domain", default="domain", help="column of the hospital, scanner or centre (default: domain)")
    add("--group", help="column of the patient: its images are resampled together")
    add("--reference", help="the domain the model was developed on")
    add("--sensitivity", type=float, default=0.9, help="share of positives its threshold must find (default: 0.9)")
    add("--exclude", action="append", default=[], help="a domain to leave out; repeat it")
    add("--title", default="Audit of predictions by domain", help="heading of the page")
    add("--separator", default=",", help="between fields; 'tab' for tabs (default: ,)")
    add("--encoding", default="utf-8-sig", help="of the file (default: UTF-8)")
    add("--resamples", type=int, default=1000, help="of the bootstrap (default: 1000)")
    add("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    add("--out", type=Path, required=True, help="folder of the report; an earlier report there is replaced")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 where it worked, 2 with a message on stderr where the input is at fault."""
    options = parser().parse_args(arguments)
    try:
        if not 0 < options.sensitivity <= 1 or options.resamples < 100:
            raise ValueError("--sensitivity must lie in (0, 1] and --resamples be 100 or more: change them")
        check_folder(options.out)
        frame = read_predictions(
            options.csv,
            label=options.label,
            prob=list(dict.fromkeys(options.prob or ["prob"])),
            domain=options.domain,
            group=options.group,
            identity=options.identity,
            model=options.model,
            positive=options.positive,
            exclude=options.exclude,
            separator="\t" if options.separator == "tab" else options.separator,
            encoding=options.encoding,
        )
        result = audit(
            frame,
            options.reference,
            title=options.title,
            sensitivity=options.sensitivity,
            n_resamples=options.resamples,
            seed=options.seed,
        )
        page = result.write(options.out)
    except (ValueError, OSError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    print(f"Report: {page.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
