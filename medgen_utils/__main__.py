"""The commands: ``python -m medgen_utils audit predictions.csv ...`` and ``compare images/ labels.csv ...``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from medgen_utils.audit.comparison import command as comparison
from medgen_utils.audit.embeddings import audit_embeddings, read_embeddings
from medgen_utils.audit.read import read_predictions
from medgen_utils.audit.report import audit
from medgen_utils.audit.write import check_folder
from medgen_utils.tables import did_you_mean, tidy

EXAMPLE = """example:
  python -m medgen_utils audit predictions.csv --label y --prob p --domain hospital \\
      --group patient --reference internal --out report/
One row per image. Several models: repeat --prob, or name the model of each row with --model and --id.
Several classes: --prob P for columns P_0 ... P_k, or --prob for each of the columns called as the labels are.
Embeddings instead of predictions: --features Z for an npz with the array Z (n, d), or a table with columns Z_0, Z_1 ...
  python -m medgen_utils audit embeddings.npz --features z --label y --domain hospital --group patient --out report/"""

# Option, what argparse needs to know of it, and its help; the order is that of --help.
AUDIT = (
    ("--label", {"default": "y"}, "column of the true class: 0, 1 ..., or words (default: y)"),
    ("--positive", {}, "where --label holds two words: the one that is class 1"),
    ("--prob", {"action": "append"}, "column with the probability of class 1, or P for columns P_0 ... P_k; repeat it"),
    ("--features", {}, "embeddings in place of --prob: an array of an npz, or Z for columns Z_0, Z_1 ..."),
    ("--classes", {}, "names of the classes 0, 1 ..., with commas between them"),
    ("--model", {}, "column that names the model of each row; needs --id"),
    ("--run", {}, "column of the seed or run of a model, whose runs are averaged; needs --id"),
    ("--id", {"dest": "identity"}, "column that identifies the image"),
    ("--domain", {"default": "domain"}, "column of the hospital, scanner or centre (default: domain)"),
    ("--group", {}, "column of the patient: its images are resampled together"),
    ("--unknown", {"action": "append", "default": []}, "word in --group for patients nobody knows; repeat it"),
    ("--split", {}, "rows to use: test, or COLUMN=test where the column is not called split"),
    ("--exclude", {"action": "append", "default": []}, "a domain to leave out; repeat it"),
    ("--reference", {}, "the domain the model was developed on"),
    ("--sensitivity", {"type": float, "default": 0.9}, "share of positives its threshold must find (default: 0.9)"),
    ("--threshold", {"action": "append"}, "of the probability, instead of --sensitivity; MODEL=0.4 for one of several"),
    ("--prior", {}, "class shares the model was trained for: numbers with commas, balanced, or reference"),
    ("--aggregate", {}, "column of what is judged as one: the patient, the breast, the lesion"),
    ("--by", {"choices": ["mean", "max"], "default": "mean"}, "how --aggregate makes one score (default: mean)"),
    ("--subgroup", {}, "column reported within each domain: sex, age band"),
    ("--min-patients", {"type": int, "default": 10}, "of a class, below which nothing is judged (default: 10)"),
    ("--title", {}, "heading of the page"),
    ("--separator", {}, "between fields; 'tab' for tabs (default: found in the header)"),
    ("--encoding", {}, "of the file (default: UTF-8, or UTF-16 with its mark)"),
    ("--decimal", {"choices": [".", ","]}, "before decimals (default: found in the column)"),
    ("--resamples", {"type": int, "default": 1000}, "of the bootstrap (default: 1000)"),
    ("--seed", {"type": int, "default": 0}, "of the bootstrap (default: 0)"),
    ("--out", {"type": Path, "required": True}, "folder of the report; an earlier report there is replaced"),
)
# What `run_embeddings` takes; every other option speaks of predictions.
EMBEDDINGS = {"--features", "--label", "--domain", "--group", "--exclude", "--title", "--seed", "--out"}
EMBEDDINGS |= {"--separator", "--encoding"}


def parser() -> argparse.ArgumentParser:
    """The commands and their options; each command's function is ``options.run_command``."""
    top = argparse.ArgumentParser(prog="python -m medgen_utils")
    commands = top.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "audit",
        help="performance, calibration and gaps by domain, from predictions alone",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("table", type=Path, help="the predictions: CSV (also gz, bz2, xz, zip), xlsx or parquet")
    for option, settings, text in AUDIT:
        command.add_argument(option, help=text, **settings)
    command.set_defaults(run_command=run_audit)
    command = commands.add_parser(
        "compare",
        help="methods trained on your own images, each domain left out once",
        epilog=comparison.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("images", type=Path, help="the folder that holds the images")
    command.add_argument("table", type=Path, help="the labels: CSV (also gz, bz2, xz, zip), xlsx or parquet")
    for option, settings, text in comparison.OPTIONS:
        command.add_argument(option, help=text, **settings)
    command.set_defaults(run_command=comparison.run)
    return top


def run_audit(options: argparse.Namespace) -> str:
    """Read, audit, write; what the reader should know beside the report goes to stderr. Returns the last line."""
    if not 0 < options.sensitivity <= 1 or options.resamples < 100 or options.min_patients < 1:
        raise ValueError("--sensitivity must lie in (0, 1], --resamples be 100 or more, --min-patients 1 or more")
    check_folder(options.out)
    if options.features:
        return run_embeddings(options)
    if options.table.suffix == ".npz":
        raise ValueError(f"{options.table} holds arrays: --features names the one with embeddings, or give a table")
    frame = read_predictions(
        options.table,
        label=options.label,
        prob=list(dict.fromkeys(options.prob or ["prob"])),
        domain=options.domain,
        group=options.group or options.aggregate,
        identity=options.identity,
        model=options.model,
        run=options.run,
        split=options.split,
        positive=options.positive,
        class_names=[name.strip() for name in options.classes.split(",")] if options.classes else None,
        subgroup=options.subgroup,
        unit=options.aggregate if options.group not in (None, options.aggregate) else None,
        exclude=options.exclude,
        unknown=options.unknown,
        separator=options.separator,
        encoding=options.encoding,
        decimal=options.decimal,
    )
    reference = None if options.reference is None else tidy(options.reference)
    if reference is not None and reference not in set(frame["domain"]):
        near = did_you_mean(reference, frame["domain"].unique())
        known = f"choose from {sorted(frame['domain'].unique())[:20]}"
        raise ValueError(f"no reference domain {reference!r}: {near or known}")
    for notice in frame.attrs["notices"]:
        print(f"audit: note: {notice}", file=sys.stderr)
    with threadpool_limits(1):  # the audit has threads of its own; those of the matrix products only stand in their way
        result = audit(
            frame,
            reference,
            title=options.title or "Audit of predictions by domain",
            sensitivity=options.sensitivity,
            threshold=thresholds(options.threshold or []),
            prior=prior(options.prior),
            aggregate=options.by if options.aggregate else None,
            min_patients=options.min_patients,
            n_resamples=options.resamples,
            seed=options.seed,
        )
    return f"Report: {result.write(options.out).resolve()}"


def run_embeddings(options: argparse.Namespace) -> str:
    """`run_audit` of embeddings; options that need predictions are refused by name."""
    given = []
    for option, settings, _ in AUDIT:
        value = getattr(options, settings.get("dest", option[2:].replace("-", "_")))
        if option not in EMBEDDINGS and value != settings.get("default"):
            given.append(option)
    if given:
        need = "needs" if len(given) == 1 else "need"
        raise ValueError(f"{', '.join(given)} {need} predictions, --features names embeddings: use one of the two")
    study = read_embeddings(
        options.table,
        features=options.features,
        label=options.label,
        domain=options.domain,
        group=options.group,
        exclude=options.exclude,
        separator=options.separator,
        encoding=options.encoding,
    )
    found = audit_embeddings(study, title=options.title or "Audit of embeddings by hospital", seed=options.seed)
    return f"Report: {found.write(options.out).resolve()}"


def prior(text: str | None) -> str | list[float] | None:
    """'.7,.3' -> [.7, .3]; words stay words."""
    if text is None or text in ("balanced", "reference"):
        return text
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--prior {text}: give numbers with commas between them, balanced, or reference") from None


def thresholds(texts: list[str]) -> float | dict[str, float] | None:
    """['.4'] -> .4; ['a=.4', 'b=.5'] -> a threshold for each model."""
    try:
        if len(texts) == 1 and "=" not in texts[0]:
            return float(texts[0])
        return {name: float(value) for name, _, value in (text.rpartition("=") for text in texts)} or None
    except ValueError:
        raise ValueError(f"--threshold {' '.join(texts)}: give one number, or MODEL=0.4 for each model") from None


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 where it worked, 2 with a message on stderr where the input is at fault, 130 if stopped."""
    options = parser().parse_args(arguments)
    try:
        print(options.run_command(options))
    except KeyboardInterrupt:
        print(f"{options.command}: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, MemoryError) as error:
        print(f"{options.command}: {error or 'not enough memory'}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
