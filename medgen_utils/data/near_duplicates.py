"""Pictures that are nearly the same: groups where no patient is known. Chapter: generalization_gap.

Two measures. `correlated` compares small grey pictures pixel by pixel and finds copies, crops of a few pixels and
frames of one scan. `perceptual_hash` keeps for each picture only which of two neighbouring areas is brighter, so
brightness and contrast do not matter; it needs no second look at the pictures and works at 28 px.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

CORRELATION = 0.95  # of 32 px pictures
BITS = 52  # of 256: among the 1.76 million pairs of BUS-BRA's images of two patients none is as near (`error_rates`)
_AREAS = 17  # a side of the grid whose neighbours the hash compares
_BLOCK = 1024  # pictures compared at a time


def perceptual_hash(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W) or (N, H, W, 3), sides >= 17 -> (N, 256) bool: is an area brighter than its right neighbour?

    The areas are a grid of 16 rows and 17 columns of means. ValueError for smaller pictures.
    """
    grey = images.mean(3) if images.ndim == 4 else images
    if min(grey.shape[1:]) < _AREAS:
        raise ValueError(f"images of {grey.shape[1:]} px: a hash needs sides of at least {_AREAS} px")
    rows, columns = _means(grey.shape[1], _AREAS - 1), _means(grey.shape[2], _AREAS)
    areas = np.einsum("ih,nhw,jw->nij", rows, grey.astype(np.float32), columns, optimize=True)
    return (areas[:, :, :-1] > areas[:, :, 1:]).reshape(len(images), -1)


def _means(n: int, parts: int) -> np.ndarray:
    """(parts, n): weights of the mean over each of ``parts`` equal stretches of n pixels."""
    edges = np.linspace(0, n, parts + 1)
    pixel = np.arange(n)
    inside = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.clip(inside, 0, None) * parts / n).astype(np.float32)


def hash_distances(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, bits) and (M, bits) -> (N, M): the share of bits that differ, 0 to 1."""
    a, b = hashes * np.float32(2) - 1, others * np.float32(2) - 1
    return (1 - a @ b.T / hashes.shape[1]) / 2


def near_duplicates(images: np.ndarray, bits: int = BITS) -> np.ndarray:
    """Cluster of each image (N,) int64, named by its first member: hashes at most ``bits`` apart, single linkage."""
    hashes = perceptual_hash(images)
    threshold = (bits + 0.5) / hashes.shape[1]
    pairs = []
    for start in range(0, len(hashes), _BLOCK):
        near = np.argwhere(hash_distances(hashes[start : start + _BLOCK], hashes) <= threshold)
        pairs.append(near + np.array([start, 0]))
    return _clusters(len(images), np.concatenate(pairs))


def correlated(images: np.ndarray, correlation: float = CORRELATION) -> np.ndarray:
    """As `near_duplicates`, of grey images (N, 64, 64): 32 px means correlated above ``correlation``."""
    small = images.reshape(len(images), 32, 2, 32, 2).mean((2, 4)).reshape(len(images), -1)
    small = small - small.mean(1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    return _clusters(len(images), np.argwhere(small @ small.T > correlation))


def _clusters(n: int, pairs: np.ndarray) -> np.ndarray:
    from scipy.sparse import coo_matrix  # takes its time, and only these sets need it
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    number, label = connected_components(graph, directed=False)
    first = np.full(number, n)
    np.minimum.at(first, label, np.arange(n))
    return first[label].astype(np.int64)


def one_each(cluster: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N,) bool: the first image of each cluster, and none of a cluster whose labels ``y`` conflict."""
    return (cluster == np.arange(len(y))) & _agree(cluster, y)


def without_conflicts(images: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N,) bool: False for pixel-identical images whose labels ``y`` conflict."""
    _, same = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)
    return _agree(same, y)


def _agree(cluster: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N,) bool: whether all images of an image's cluster have one label."""
    low, high = np.full(len(y), y.max()), np.full(len(y), y.min())
    np.minimum.at(low, cluster, y)
    np.maximum.at(high, cluster, y)
    return (low == high)[cluster]


def error_rates(images: np.ndarray, patient: np.ndarray, bits: Sequence[int] = range(8, 80, 8)) -> pd.DataFrame:
    """What thresholds of the hash call one picture among pairs whose patients (N,) str are known; a row a threshold.

    Index: the largest number of differing bits. Columns: found and false, the shares of pairs of one patient and of two
    patients within it, and the number of false pairs. Pairs of one patient are mostly two breasts or two views and no
    near-duplicates: found says how rarely they look alike, not how well copies are found. false is the cost.
    """
    hashes = perceptual_hash(images)
    first, second = np.triu_indices(len(images), 1)
    distance = hash_distances(hashes, hashes)[first, second]
    same = patient[first] == patient[second]
    rows = {
        bit: {
            "found": (distance[same] <= (bit + 0.5) / hashes.shape[1]).mean(),
            "false": (distance[~same] <= (bit + 0.5) / hashes.shape[1]).mean(),
            "false pairs": (distance[~same] <= (bit + 0.5) / hashes.shape[1]).sum(),
        }
        for bit in bits
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("bits")


def groups(images: np.ndarray, prefix: str, bits: int = BITS) -> np.ndarray:
    """(N,) str: "{prefix} 12" for the members of a cluster of near-duplicates, "" for an image that stands alone.

    `BITS` is for breast ultrasound. Pictures that look alike by nature, such as chest X-rays, need fewer bits: there 52
    would call nearly all of them one.
    """
    cluster = near_duplicates(images, bits)
    alone = np.bincount(cluster, minlength=len(cluster))[cluster] == 1
    return np.where(alone, "", np.char.add(f"{prefix} ", cluster.astype(str)))
