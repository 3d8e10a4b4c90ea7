"""Contestants side by side, on an environment whose frames tell its step."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym import save_agent
from melro_gym.evaluation.films import Contestant, beside, film, parse_contestant, strip_figure
from melro_gym.report.videos import make_videos, parse_env


class Clock(gym.Env):
    """Pays 1 a step; ends after `length`; its frame is as bright as the step's number."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
    observation_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, length: int = 100, render_mode=None, width: int = 0, height: int = 0):
        self.render_mode, self.size, self.length, self.time = render_mode, (height, width, 3), length, 0

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.zeros(2, np.float32), 1.0, self.time == self.length, False, {}

    def render(self):
        return np.full(self.size, self.time, np.uint8)


gym.register("Clock-v0", lambda **kwargs: Clock(**kwargs))


@pytest.fixture
def pair(tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_agent(path, tiny_agent(obs_size=2, action_size=1))
    return str(path)


def test_contestants_play_beside_each_other_and_stand_still_when_they_are_done(pair):
    contestants = [Contestant("a", pair, False), Contestant("b", pair, False)]
    fps, shots = film(contestants, "Clock-v0", {"length": 3}, seed=0, seconds=1.5)
    shots = list(shots)
    assert fps == 4 and len(shots) == 6
    assert [shot.returns for shot in shots] == [[min(step, 3)] * 2 for step in range(1, 7)]
    frames = list(beside(shots))
    assert frames[0].shape == (240, 640, 3) and [frame.max() for frame in frames] == [1, 2, 3, 3, 3, 3]


def test_a_strip_has_a_row_for_each_contestant_and_the_frames_of_its_moments(pair):
    contestants = [Contestant("a", pair, False), Contestant("b", pair, False)]
    shots = list(film(contestants, "Clock-v0", {}, seed=0, seconds=2.0).shots)[3::4]
    figure = strip_figure(shots, [1.0, 2.0], ["one", "two"])
    rows = figure.subfigs
    assert [row.get_suptitle() for row in rows] == ["one; return in 2 s: 8", "two; return in 2 s: 8"]
    assert [[axes.images[0].get_array().max() for axes in row.axes] for row in rows] == [[4, 8], [4, 8]]


def test_videos_of_a_report_say_who_plays_and_are_written(pair, tmp_path):
    (video,) = make_videos(['Clock-v0{"length": 5}'], [f"{pair}:base"] * 2, tmp_path / "videos", seconds=1.0)
    assert video.title.startswith("Clock (length=5), from left to right: ") and video.title.count("base policy") == 2
    assert (tmp_path / "videos" / "clock-length-5-.mp4").read_bytes() == video.content
    assert video.content[4:8] == b"ftyp"


def test_words_that_are_no_contestants_or_environments_say_what_is():
    with pytest.raises(ValueError, match="AGENT:base or AGENT:melro"):
        parse_contestant("walker-walk")
    with pytest.raises(ValueError, match="JSON behind the id"):
        parse_env("WalkerWalk-v0{value: 1}")
    assert parse_env('A-v0 {"value": 1}') == ("A-v0", {"value": 1})
