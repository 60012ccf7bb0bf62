"""Two ways to do one thing, timed in turns: the measure behind every row of the table."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table: what was done, beside what; milliseconds of both; how often ours is as fast."""

    work: str
    peer: str
    ours_ms: float
    peer_ms: float
    ratio: float
    low: float
    high: float
    pairs: int


def processor_seconds() -> float:
    """Seconds that this process and its finished children took of a processor, in all threads.

    Not those on the clock: on a machine that others use too they say how busy these were.
    """
    mine, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def seconds_of(function: Callable[[], object], clock: Callable[[], float] = processor_seconds) -> float:
    start = clock()
    function()
    return clock() - start


def compare(
    work: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    pairs: int = 9,
    clock: Callable[[], float] = processor_seconds,
) -> Row:
    """Both in turns, each once to warm up: medians, the median of the pairs' ratios (peer / ours), its quartiles."""
    times = []
    for pair in range(pairs + 1):
        both = seconds_of(ours, clock), seconds_of(theirs, clock)
        if pair:
            times.append(both)
    ratios = [b / max(a, 1e-9) for a, b in times]
    low, _, high = statistics.quantiles(ratios, n=4)
    mine, other = (1000 * statistics.median(side) for side in zip(*times, strict=True))
    return Row(work, peer, mine, other, statistics.median(ratios), low, high, pairs)


def clock_seconds() -> float:
    """Seconds on the clock, for what several processes do together."""
    return time.perf_counter()
