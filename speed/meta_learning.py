"""Seconds per training step of the meta-learning methods, as a ratio to ERM in the same run, on one thread.

.venv/bin/python speed/meta_learning.py
"""

from medgen_utils.benchmark import Contender
from medgen_utils.benchmark.costs import step_costs
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.meta_learning import MASF, MLDG

EXACT = {"first_order": (False,) * 3}
METHODS = (
    "ERM", "Fish", "MLDG", Contender("MLDG, exact", "meta-learning", MLDG, EXACT),
    "MASF", Contender("MASF, exact", "meta-learning", MASF, EXACT),
)  # fmt: skip


if __name__ == "__main__":
    sources = make_clinic(acquisition_hospitals(3)[:3], n=100, seed=0)
    for width in (16, 32):
        print(f"width {width}\n{step_costs(METHODS, sources, width=width).round(1)}\n")
