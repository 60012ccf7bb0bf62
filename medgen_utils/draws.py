"""Random numbers that a web page and Python draw alike, so that a live page can be checked, and played, in both.

NumPy's and torch's generators are not written again in JavaScript; this small one is: mulberry32 for uniform numbers,
Box and Muller (1958) for normal ones. explorer/pages/live/draws.js is its other half. Chapters: explore, train.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_STEP, _MASK = np.uint64(0x6D2B79F5), np.uint64(0xFFFFFFFF)


def seed_of(*numbers: int) -> int:
    """One 32-bit seed from several numbers of 0 or more (ValueError below): other numbers, or another order, another.

    The mixing steps are those of MurmurHash3 (Appleby 2011).
    """
    if min(numbers, default=0) < 0:
        raise ValueError(f"numbers {numbers}: seeds are made of numbers of 0 or more")
    state = 0x9E3779B9
    for number in numbers:
        state = (state ^ (number & 0xFFFFFFFF)) * 0x85EBCA6B & 0xFFFFFFFF
        state = (state ^ (state >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
        state ^= state >> 16
    return state


class Stream:
    """A stream of random numbers from one 32-bit seed; has the two methods of NumPy's generators that we use."""

    def __init__(self, seed: int):
        self.seed, self.drawn = seed, 0

    def random(self, shape: int | Sequence[int] = ()) -> np.ndarray:
        """Uniform numbers in (0, 1), float64."""
        n = int(np.prod(shape))
        places = np.arange(self.drawn + 1, self.drawn + n + 1, dtype=np.uint64)
        self.drawn += n
        state = (np.uint64(self.seed) + _STEP * places) & _MASK
        t = (state ^ (state >> np.uint64(15))) * (state | np.uint64(1)) & _MASK
        t = (t + ((t ^ (t >> np.uint64(7))) * (t | np.uint64(61)) & _MASK) & _MASK) ^ t
        return (((t ^ (t >> np.uint64(14))) + 0.5) / 2**32).reshape(shape)

    def standard_normal(self, shape: int | Sequence[int] = (), dtype: type = np.float64) -> np.ndarray:
        """Normal numbers of mean 0 and variance 1, two from every two uniform ones; an odd last one is left out."""
        n = int(np.prod(shape))
        uniform = self.random(n + n % 2)
        radius, angle = np.sqrt(-2 * np.log(uniform[::2])), 2 * np.pi * uniform[1::2]
        normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).flatten()[:n]
        return normal.astype(dtype).reshape(shape)


def streams(seed: int, source: int) -> tuple[Stream, Stream, Stream, Stream]:
    """For `clinic.make_clinic`: what a page draws patients, tissue, records and noise of one hospital from."""
    return tuple(Stream(seed_of(seed, source, kind)) for kind in range(4))
