"""One root seed to named, independent generators.

Randomness is data, not a side effect: whatever is random is a function of the study's seed and of
names (a purpose, an epoch, an example), never of what ran before, on which worker, or how often.
"""

from __future__ import annotations

import hashlib

import numpy as np

_U64 = np.uint64
#: The constants of SplitMix64: between the states of a generator, and in its mixing.
GOLDEN, FACTORS = 0x9E3779B97F4A7C15, (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def derive_seed(root: int, *names: object) -> int:
    """Return a 63-bit seed for a named purpose under a root seed.

    Args:
        root: The study's seed.
        names: What the randomness is for, for example ``("head", "imagenet")``; any printable values.

    Returns:
        An integer in [0, 2**63), the same on every machine and Python version.
    """
    text = "\x1f".join(str(part) for part in (root, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(root: int, *names: object) -> np.random.Generator:
    """Return a NumPy generator for a named purpose under a root seed."""
    return np.random.Generator(np.random.PCG64(derive_seed(root, *names)))


def example_key(example_id: str) -> int:
    """Return the 64-bit key of an example, which seeds its augmentation, from its stable id."""
    return int.from_bytes(hashlib.sha256(example_id.encode()).digest()[:8], "big")


def uniforms(keys: np.ndarray, seed: int, num: int) -> np.ndarray:
    """Uniform numbers that depend on (seed, key, position) alone, so on no order and no worker.

    Args:
        keys: uint64, shape (N,): one key an example.
        seed: What the numbers are for: derive it from the study's seed and the epoch.
        num: How many numbers each example needs.

    Returns:
        float64 in [0, 1), shape (N, num).

    Source: SplitMix64, a counter-based generator (Steele, Lea & Flood, OOPSLA 2014, figure 15).
    """
    with np.errstate(over="ignore"):
        steps = np.arange(1, num + 1, dtype=_U64) * _U64(GOLDEN)
        return (_mix(states(keys, seed)[:, None] + steps) >> _U64(11)).astype(np.float64) * 2.0**-53


def states(keys: np.ndarray, seed: int) -> np.ndarray:
    """Return where the generator of ``uniforms`` begins for each key: uint64, shape (N,)."""
    with np.errstate(over="ignore"):
        return _mix(keys.astype(_U64) ^ _mix(np.array(seed, dtype=_U64)))


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> _U64(30))) * _U64(FACTORS[0])
    z = (z ^ (z >> _U64(27))) * _U64(FACTORS[1])
    return np.asarray(z ^ (z >> _U64(31)))
