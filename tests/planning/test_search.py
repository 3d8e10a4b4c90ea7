"""Each search's step equals a NumPy loop, with no setting at its default."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from melro_gym.planning.search import AugmentedRandomSearch, CrossEntropy, GradientAscent, PathIntegral

POINT = np.array([[0.3, -0.8, 0.2], [0.1, 0.95, 0.6]], np.float32)
GOAL = np.array([[0.0, -0.5, 0.3], [0.4, 0.2, 0.1]], np.float32)
HIGH = 0.9


def _score(points):
    """A parabola; its top is `GOAL`."""
    return -jnp.sum(jnp.square(points - GOAL[None]), axis=(1, 2))


def _worth(points):
    return -np.square(np.asarray(points, np.float64) - GOAL).sum(axis=(1, 2))


def _project(points):
    return jnp.clip(points, -HIGH, HIGH)


def _steps(search, count):
    """The search's steps, and the standard normal numbers that each draws for `2N` (ARS: `N`) candidates."""
    point, state, steps = jnp.asarray(POINT), search.init(jnp.asarray(POINT)), []
    for key in jr.split(jr.key(3), count):
        steps.append(search.step(_score, _project, point, state, search.draw(point, key)))
        point, state = steps[-1].point, steps[-1].state
    return steps


def _normal(key_index, count, steps):
    return np.asarray(jr.normal(jr.split(jr.key(3), steps)[key_index], (count, *POINT.shape)), np.float64)


def _adam(gradients, step_size):
    """Moves of Adam (Kingma and Ba 2015, Algorithm 1), upwards."""
    first = second = np.zeros_like(gradients[0])
    moves = []
    for step, gradient in enumerate(gradients, start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        moves.append(step_size * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8))
    return moves


def test_two_steps_of_augmented_random_search():
    search = AugmentedRandomSearch(directions=5, top_directions=3, perturbation_std=0.3, step_size=0.2)
    steps, point, directions, points = _steps(search, 2), POINT.astype(np.float64), [], []
    for index in range(2):
        normal = _normal(index, 5, 2)
        plus, minus = (np.clip(point + sign * 0.3 * normal, -HIGH, HIGH) for sign in (1.0, -1.0))
        scores = np.concatenate([_worth(plus), _worth(minus)])
        np.testing.assert_allclose(steps[index].scores, scores, rtol=1e-4)
        kept = sorted(range(5), key=lambda i: -max(scores[i], scores[5 + i]))[:3]
        spread = np.std([scores[i] for i in kept] + [scores[5 + i] for i in kept])
        directions.append(sum((scores[i] - scores[5 + i]) * normal[i] for i in kept) / (3 * spread))
        point = np.clip(point + _adam(directions, 0.2)[-1], -HIGH, HIGH)
        points.append(point)
    np.testing.assert_allclose([step.point for step in steps], points, rtol=1e-3, atol=1e-4)


def test_two_steps_along_the_gradient():
    steps, point, gradients = _steps(GradientAscent(step_size=0.2), 2), POINT.astype(np.float64), []
    for index in range(2):
        np.testing.assert_allclose(steps[index].scores, _worth(point[None]), rtol=1e-4)
        gradients.append(-2.0 * (point - GOAL))
        point = np.clip(point + _adam(gradients, 0.2)[-1], -HIGH, HIGH)
        np.testing.assert_allclose(steps[index].point, point, rtol=1e-3, atol=1e-4)


def test_a_step_of_path_integral_control():
    (step,) = _steps(PathIntegral(directions=4, perturbation_std=0.3, temperature=0.4), 1)
    candidates = np.clip(POINT + 0.3 * _normal(0, 8, 1), -HIGH, HIGH)
    scores = _worth(candidates)
    weights = np.exp((scores - scores.max()) / scores.std() / 0.4)
    np.testing.assert_allclose(step.scores, scores, rtol=1e-4)
    np.testing.assert_allclose(step.point, np.tensordot(weights / weights.sum(), candidates, 1), rtol=1e-3, atol=1e-5)


def test_two_steps_of_the_cross_entropy_method():
    steps = _steps(CrossEntropy(directions=4, top_directions=3, perturbation_std=0.3), 2)
    point, std = POINT.astype(np.float64), np.full(POINT.shape, 0.3)
    for index in range(2):
        candidates = np.clip(point + std * _normal(index, 8, 2), -HIGH, HIGH)
        scores = _worth(candidates)
        np.testing.assert_allclose(steps[index].scores, scores, rtol=1e-3)
        elite = candidates[np.argsort(-scores)[:3]]
        point, std = elite.mean(0), elite.std(0)
        np.testing.assert_allclose(steps[index].point, point, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(steps[index].state, std, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("search", [AugmentedRandomSearch, CrossEntropy])
def test_no_more_can_be_kept_than_was_drawn(search):
    limit = 3 if search is AugmentedRandomSearch else 6
    search(directions=3, top_directions=limit)
    with pytest.raises(ValueError, match=rf"`top_directions` \({limit + 1}\) must not exceed"):
        search(directions=3, top_directions=limit + 1)
