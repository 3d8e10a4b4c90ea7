from __future__ import annotations

import numpy as np
import pytest

from melro_gym.training.replay import Outcomes, Replay, Transition


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


def test_each_member_of_a_set_has_its_own_steps():
    replay = Replay(1, 1, 9, members=2)
    for row in range(5):
        number, pair = np.full((1, 1), row, np.float32), np.array([[10.0, 20.0]], np.float32) + row
        rows = Transition(number, number, number, number, number[0], 0.0 * number[0], number + 1, 0.0 * number[0])
        replay.add(rows, Outcomes(pair[..., None], 2.0 * pair, pair > 22.0))
    for member, first in zip(replay.of_members(), (10.0, 20.0), strict=True):
        np.testing.assert_array_equal(member.rows.obs[:, 0], np.arange(5))
        np.testing.assert_array_equal(member.rows.action[:, 0], np.arange(5))
        np.testing.assert_array_equal(member.rows.next_obs[:, 0], first + np.arange(5))
        np.testing.assert_array_equal(member.rows.reward, 2.0 * (first + np.arange(5)))
        np.testing.assert_array_equal(member.rows.terminated, first + np.arange(5) > 22.0)
        with pytest.raises(ValueError, match="None of the 5 stored episodes"):
            member.sample_windows(np.random.default_rng(0), (2,), 2)
    assert _filled([3]).of_members() == []
