"""After deployment: watch a model's outputs over time, with a false-alarm rate stated beforehand. Chapter: outlook.

Each month's outputs are compared with a reference by a statistic whose quiet behaviour is the same for every model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

QUIET_MEAN, QUIET_SD = 0.8687, 0.2603  # of the scaled Kolmogorov-Smirnov distance of two large samples of one source


def monthly_distances(reference: np.ndarray, months: np.ndarray) -> np.ndarray:
    """How far each month's outputs are from the reference: reference (m,), months (T, n) -> (T,), >= 0.

    Kolmogorov-Smirnov distance times sqrt(m n / (m + n)). While nothing changes, its law depends on m and n alone,
    not on the model (outputs without ties; one image a patient): about 0.87 on average, standard deviation 0.26.
    The distance is that of `shifts.black_box_shift_detection`. Chapter: outlook.
    """
    reference, months = np.sort(reference), np.sort(np.atleast_2d(months), axis=1)
    m, n = len(reference), months.shape[1]
    below, up_to = (np.searchsorted(reference, months, side) / m for side in ("left", "right"))
    rank = np.arange(n + 1) / n
    distance = np.maximum((rank[1:] - up_to).max(1), (below - rank[:-1]).max(1))
    return distance * math.sqrt(m * n / (m + n))


def cusum(values: np.ndarray, drift: float = QUIET_MEAN + QUIET_SD / 2) -> np.ndarray:
    """Page's cumulative sum S_t = max(0, S_(t-1) + value_t - drift), S_0 = 0: values (..., T) -> the same shape.

    ``drift`` is what a quiet month may cost: by default half a standard deviation above the mean of
    `monthly_distances`. Small changes that last add up. Source: Page 1954. Chapter: outlook.
    """
    total, sums = np.zeros(np.shape(values)[:-1]), np.empty(np.shape(values))
    for month in range(sums.shape[-1]):
        total = np.maximum(0, total + values[..., month] - drift)
        sums[..., month] = total
    return sums


def each_month_alone(values: np.ndarray) -> np.ndarray:
    """The chart without a memory: the monthly distances as they are (after Shewhart). Chapter: outlook."""
    return np.asarray(values)


def quiet_streams(n_reference: int, month_size: int, n_months: int, n_streams: int, seed: int) -> Iterator[np.ndarray]:
    """`monthly_distances` (n_months,) of streams in which nothing changes, each with a reference of its own.

    The law of the distances does not depend on that of the outputs, so uniform numbers stand for any model.
    """
    rng = np.random.default_rng(seed)
    for _ in range(n_streams):
        yield monthly_distances(rng.random(n_reference), rng.random((n_months, month_size)))


def alarm_threshold(
    false_alarm_rate: float,
    *,
    n_reference: int,
    month_size: int,
    n_months: int,
    seed: int,
    chart: Callable[[np.ndarray], np.ndarray] = cusum,
    n_streams: int = 2000,
) -> float:
    """The height above which ``chart`` alarms, such that P(any alarm in n_months quiet months) <= false_alarm_rate.

    From the largest value of the chart in each of ``n_streams`` simulated `quiet_streams`: the order statistic
    ceil((1 - rate) (n_streams + 1)). The rate counts the draw of the reference, of the months and of the simulation.
    It holds where months are independent draws from the reference's own source: no seasons, one image a patient.
    Where n_reference is a multiple of month_size few distances are possible, and the true rate is below the stated one.
    ValueError where the rate is not in (0, 1) or n_streams is too small for it. Chapter: outlook.
    """
    if not 0 < false_alarm_rate < 1:
        raise ValueError(f"false_alarm_rate={false_alarm_rate}: choose a probability between 0 and 1")
    position = math.ceil((1 - false_alarm_rate) * (n_streams + 1))
    if position > n_streams:
        raise ValueError(f"n_streams={n_streams} cannot show a rate of {false_alarm_rate}: simulate more")
    streams = quiet_streams(n_reference, month_size, n_months, n_streams, seed)
    return float(np.sort([chart(distances).max() for distances in streams])[position - 1])


def first_alarm(values: np.ndarray, threshold: float) -> int | None:
    """Number of the first month (from 1) whose chart value is above the threshold, or None. Chapter: outlook."""
    above = np.flatnonzero(np.asarray(values) > threshold)
    return int(above[0]) + 1 if len(above) else None


def delays(charts: np.ndarray, threshold: float, change: int) -> np.ndarray:
    """Months from the change after month ``change`` to the first alarm, a stream each; inf where none comes in time.

    charts (r, T) of r streams, change < T. Streams with an alarm up to that month are left out: their monitor spoke
    before there was anything to say (how many is (r minus the length) of r). A stream that nobody notices is late, not
    missing, so it stays and counts as inf: a median over the noticed ones alone would praise a monitor for what it
    misses. Chapter: outlook.
    """
    charts = np.atleast_2d(charts)
    if not 0 <= change < charts.shape[1]:
        raise ValueError(f"change={change} in streams of {charts.shape[1]} months: choose an earlier month")
    above = charts > threshold
    later = above[~above[:, :change].any(1), change:]
    return np.where(later.any(1), later.argmax(1) + 1.0, np.inf)


def noticed_by(delays: np.ndarray, n_months: int) -> np.ndarray:
    """Share of the streams noticed within 1, 2, ..., n_months months after the change: delays (r,) -> (n_months,).

    All are watched equally long, so one minus this is the Kaplan-Meier curve of the unnoticed. Chapter: outlook.
    """
    return (np.asarray(delays) <= np.arange(1, n_months + 1)[:, None]).mean(1)
