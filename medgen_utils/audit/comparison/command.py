"""``python -m medgen_utils compare images/ labels.csv --out report/``: methods on the reader's own images.

Each domain is left out once; every method of a short list is trained on the others and tested there. Finished runs are
kept beside the report, so that the command may be stopped and started again.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from textwrap import fill

from medgen_utils.audit.comparison.report import RUNS, large_enough, report_comparison
from medgen_utils.audit.parts import counted
from medgen_utils.audit.write import check_folder
from medgen_utils.benchmark.comparison import SHORT_LIST, Comparison, contenders, targets_of
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.benchmark.protocol import EVALUATIONS
from medgen_utils.data import from_folder
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import in_words, jobs_of
from medgen_utils.tables import as_option
from medgen_utils.training import flips, flips_and_turns

EXAMPLE = f"""example:
  python -m medgen_utils compare images/ labels.csv --label dx --domain hospital --group patient --out report/
The table has a row an image: its file below the folder, its class, its domain (hospital, scanner, year) and, if you
have it, its patient. Each domain is left out once, the methods are trained on the others and tested there. Stopped and
started again, the command trains what is missing.
{fill("methods: " + "; ".join(contender.name for contender in CONTENDERS), 119)}
{fill("without --methods: " + "; ".join(SHORT_LIST), 119)}"""

OPTIONS = (
    ("--file", {}, "column of the image's path below the folder (default: file)"),
    ("--label", {}, "column of the class (default: label)"),
    ("--domain", {}, "column of the hospital, scanner or centre (default: domain)"),
    ("--group", {}, "column of the patient or slide, kept on one side of every split (default: group, if there)"),
    ("--classes", {}, "names of the classes in order, with commas between them; of two the second is the disease"),
    ("--size", {"type": int, "default": 28}, "all images are made squares of so many pixels (default: 28)"),
    ("--background", {"choices": ["black", "white"]}, "what transparent images lie on"),
    ("--augment", {"choices": ["flips", "turns", "none"], "default": "flips"}, "mirrored left to right, turned by "
     "quarters too, or as they are (default: flips)"),
    ("--methods", {"nargs": "+", "metavar": "NAME"},
     "the baseline first; names of several words in quotes (default: below)"),
    ("--target", {"action": "append"}, "a domain to leave out; repeat it (default: every one with enough patients)"),
    ("--steps", {"type": int}, "of training (default: 1000; --fast: 100)"),
    ("--seeds", {"type": int}, "repeats of everything (default: 3; --fast: 1)"),
    ("--trials", {"type": int, "default": 1}, "settings of each method to choose from (default: 1, its own defaults)"),
    ("--fast", {"action": "store_true"}, "a first look: few steps, one seed, nothing to conclude from"),
    ("--width", {"type": int, "default": 16}, "channels of the network's first layer (default: 16)"),
    ("--jobs", {"type": int}, "runs side by side (default: one a core, one on a GPU)"),
    ("--min-patients", {"type": int, "default": 10}, "of a class, below which a domain is not tested (default: 10)"),
    ("--title", {}, "heading of the page"),
    ("--separator", {}, "between fields; 'tab' for tabs (default: found in the header)"),
    ("--encoding", {}, "of the table (default: UTF-8, or UTF-16 with its mark)"),
    ("--out", {"type": Path, "required": True}, "folder of the report and of finished runs"),
)  # fmt: skip


def run(options: argparse.Namespace) -> str:
    """Read, say how long it will take, train what is missing, write. Returns the last line."""
    steps = options.steps if options.steps is not None else 100 if options.fast else 1000
    seeds = options.seeds if options.seeds is not None else 1 if options.fast else 3
    least = {"--steps": steps, "--seeds": seeds, "--trials": options.trials, "--width": options.width}
    least |= {"--min-patients": options.min_patients, "--jobs": 1 if options.jobs is None else options.jobs}
    if low := [f"{name} {value}" for name, value in least.items() if value < 1]:
        raise ValueError(f"{', '.join(low)}: give 1 or more")
    if options.size < 8:
        raise ValueError(f"--size {options.size}: the network needs 8 pixels or more")
    check_folder(options.out, (RUNS,))
    crew = contenders(options.methods or SHORT_LIST)
    dataset, notices = own_images(options)
    targets = targets_of(dataset, options.target)
    targets = targets if options.target else large_enough(dataset, targets, options.min_patients)
    plan = Comparison(
        dataset,
        crew,
        targets,
        tuple(range(seeds)),
        options.trials,
        steps,
        {"flips": flips, "turns": flips_and_turns, "none": None}[options.augment],
        width=options.width,
        validation_share=0.2,
        evaluations=EVALUATIONS,
        keep=options.out / RUNS,
    )
    runs, missing = plan.runs(), plan.missing()
    tell(
        f"{counted(len(runs), 'run')}: {counted(len(crew), 'method')} x {len(targets)} of "
        f"{counted(len(targets_of(dataset)), 'domain')} x {counted(seeds, 'seed')}"
        + (f" x {options.trials} trials" if options.trials > 1 else "")
        + (f"; {len(runs) - len(missing)} are finished, in {options.out / RUNS}" if len(missing) < len(runs) else "")
    )
    if missing:
        jobs = min(jobs_of(options.jobs), len(missing))
        tell(
            f"about {in_words(plan.expected_seconds(missing) / jobs)} for {counted(len(missing), 'run')}, {jobs} side "
            "by side, measured here and now; you may stop it and start it again"
        )
    result = plan.run(options.jobs)
    report = report_comparison(
        result,
        dataset,
        title=options.title or f"Methods compared on {options.images.resolve().name}",
        min_patients=options.min_patients,
        notices=notices,
        settings={
            "trials": options.trials, "size": options.size, "width": options.width, "augmentation": options.augment,
        },
    )  # fmt: skip
    return f"Report: {report.write(options.out).resolve()}"


def tell(words: str) -> None:
    """What a person at the keyboard should know, beside the result."""
    print(f"compare: {words}", file=sys.stderr)


def own_images(options: argparse.Namespace) -> tuple[DomainDataset, list[str]]:
    """The reader's images, and what may be a mistake; that goes to stderr too."""
    columns = {name: getattr(options, name) for name in ("file", "label", "domain", "group")}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        dataset = from_folder(
            options.images,
            options.table,
            size=options.size,
            class_names=[name.strip() for name in options.classes.split(",")] if options.classes else None,
            background=options.background,
            columns={name: column for name, column in columns.items() if column},
            separator=options.separator,
            encoding=options.encoding,
            ask=as_option,
        )
    notices = [str(warning.message) for warning in told if issubclass(warning.category, UserWarning)]
    for notice in notices:
        tell(f"note: {notice}")
    return dataset, notices
