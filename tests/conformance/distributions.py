"""Kinds of weights on which quantizers differ, made the same way every time."""
import numpy as np

F = np.float32


def gaussian(rng, n):
    return rng.standard_normal(n).astype(F) * F(0.02)


def heavy_tailed(rng, n):
    return (rng.standard_t(2, n) * 0.01).astype(F)


def constant(rng, n):
    return np.full(n, 0.37, F)


def negative_constant(rng, n):
    return np.full(n, -0.37, F)


def all_zero(rng, n):
    return np.zeros(n, F)


def one_non_zero(rng, n):
    weights = np.zeros(n, F)
    weights[rng.integers(0, 256, n // 256) + np.arange(n // 256) * 256] = F(-1.5)
    return weights


def alternating_signs(rng, n):
    weights = np.full(n, 0.5, F)
    weights[1::2] = -0.5
    return weights


def ties(rng, n):
    return (rng.integers(-8, 9, n) / 8).astype(F)


def subnormal(rng, n):
    return (rng.standard_normal(n) * 1e-40).astype(F)


def tiny(rng, n):
    return (rng.standard_normal(n) * 1e-12).astype(F)


def huge(rng, n):
    return (rng.standard_normal(n) * 1e4).astype(F)


def sorted_weights(rng, n):
    return np.sort(gaussian(rng, n))


def positive(rng, n):
    return np.abs(gaussian(rng, n)) + F(0.01)


def mixed_magnitudes(rng, n):
    return (rng.standard_normal(n) * 10.0 ** rng.integers(-6, 3, n)).astype(F)


ALL = [gaussian, heavy_tailed, constant, negative_constant, all_zero, one_non_zero, alternating_signs, ties, subnormal, tiny,
       huge, sorted_weights, positive, mixed_magnitudes]
