from __future__ import annotations

import numpy as np
import pytest

from melro_gym.training.replay import Replay, Transition


def _filled(lengths, capacity=100):
    """One row per step; `obs` counts rows, so that a window's contents show where it came from."""
    replay = Replay(1, 1, capacity)
    row = 0
    for episode, length in enumerate(lengths):
        for _ in range(length):
            number = np.full(1, row, np.float32)
            items = (number, number, number, number, row, False, number + 1, episode)
            replay.add(Transition(*map(np.asarray, items)))
            row += 1
    return replay


def test_windows_are_consecutive_and_stay_in_one_episode():
    replay = _filled([3, 5, 2, 7])
    windows = replay.sample_windows(np.random.default_rng(0), (500,), 3)
    assert windows.obs.shape == (500, 3, 1)
    np.testing.assert_array_equal(np.diff(windows.obs[..., 0], axis=1), 1.0)
    assert np.all(windows.episode == windows.episode[:, :1])
    assert set(windows.obs[:, 0, 0]) == {0, 3, 4, 5, 10, 11, 12, 13, 14}


def test_too_long_windows_are_refused():
    with pytest.raises(ValueError, match="collect more"):
        _filled([3, 3]).sample_windows(np.random.default_rng(0), (2,), 4)


def test_a_full_buffer_refuses_more():
    with pytest.raises(IndexError, match="full"):
        _filled([5], capacity=4)


def test_restored_rows_are_the_stored_ones():
    replay = _filled([4, 2])
    other = Replay(1, 1, 10)
    other.restore(replay.rows)
    assert len(other) == 6
    np.testing.assert_array_equal(other.rows.obs, replay.rows.obs)
