"""The weights whose encodings tests/golden/codec_digests.txt pins; golden_weights.cc makes the same, bit for bit.

Only exact operations are used (integers, and products with powers of two), so that both languages agree.
"""
import numpy as np

ROWS, COLUMNS = 8, 1536
COUNT = ROWS * COLUMNS
INDEX = np.arange(COUNT, dtype=np.uint64)


def random_bits(seed):
    """SplitMix64 of the weight's index: one 64-bit number a weight."""
    z = (INDEX + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bell(seed):
    """The sum of four 16-bit numbers around zero: integers below 2^17, nearly Gaussian."""
    z = random_bits(seed)
    total = sum((z >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    return total.astype(np.int64) - 131070


def scaled(integers, exponents):
    return np.ldexp(integers.astype(np.float64), exponents).astype(np.float32)


def below(seed, limit):
    return (random_bits(seed) % np.uint64(limit)).astype(np.int64)


DISTRIBUTIONS = {
    "bell": scaled(bell(1), -21),
    "heavy_tailed": scaled(bell(2), -24 + below(3, 8)),
    "mixed_magnitudes": scaled(bell(4), -30 + below(5, 24)),
    "positive": scaled(bell(6) + 262144, -21),
    "ties": scaled(below(7, 17) - 8, -3),
    "alternating_signs": scaled(1 - 2 * (INDEX % np.uint64(2)).astype(np.int64), -1),
    "one_non_zero": scaled(np.where(INDEX % np.uint64(256) == 77, -3, 0), -1),
    "zero": scaled(np.zeros(COUNT, np.int64), 0),
    "constant": scaled(np.full(COUNT, 3), -3),
    "ascending": scaled(INDEX.astype(np.int64) - COUNT // 2, -16),
    "tiny": scaled(bell(8), -60),
    "subnormal": scaled(bell(9), -149),
    "large": scaled(bell(10), -4),
}

# Of the columns; some were never active.
IMPORTANCE = scaled(np.where(INDEX % np.uint64(29) == 3, 0, below(11, 1000) + 1), -10)[:COLUMNS]
