from __future__ import annotations

import sys
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from toys import tiny_agent

from benchmarks.maze_figures import __main__ as command
from benchmarks.maze_figures import drawing
from benchmarks.maze_figures.records import MazeData, Panel, PlanPanel, Scene, load, save
from benchmarks.maze_figures.simulation import Fans, imagine, imagined_paths, look_at, play, spread_states
from melro_gym import MELROController
from melro_gym.checkpoint import save_agent
from melro_gym.models import AbstractSingleModel, ActionDistribution, Agent
from melro_gym.planning import PlanConfig

MEAN, STD = np.array([0.3, -1.0, 0.0, 0.5], np.float32), np.array([0.5, 2.0, 3.0, 1.5], np.float32)
QUICK: dict[str, Any] = {
    "optimise_steps": 1,
    "directions": 2,
    "top_directions": 1,
    "planned_steps": 3,
    "policy_steps": 0,
}


class Drift(AbstractSingleModel):
    """The first two entries of the state move by `gain` times the control, the others stay."""

    gain: float = 0.1

    def step(self, state, control):
        return state.at[:2].add(self.gain * control[:2])

    def continuation(self, state, control):
        del state, control
        return jnp.ones(())

    def reward(self, state, control, following=None):
        del control
        return state[0]


def maze_agent(model_input: str = "action") -> Agent:
    agent = tiny_agent(model_input, obs_size=4)
    agent = agent.with_metadata({"env": "PointMaze-v0", "env_kwargs": {}, "discount": 0.9})
    return eqx.tree_at(lambda tree: tree.normaliser, agent, type(agent.normaliser)(jnp.asarray(MEAN), jnp.asarray(STD)))


def observations(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)


@pytest.mark.parametrize("model_input", ["action", "distribution"])
def test_imagined_paths_are_those_of_a_loop_over_the_model(model_input):
    agent, (obs,) = maze_agent(model_input), observations(1)
    rng = np.random.default_rng(1)
    mean, std = rng.uniform(-1.0, 1.0, (3, 2)).astype(np.float32), rng.uniform(0.1, 0.9, (3, 2)).astype(np.float32)
    noise = rng.normal(size=(4, 3, 2)).astype(np.float32)
    chosen = ActionDistribution(jnp.asarray(mean), jnp.asarray(std))
    paths = np.asarray(imagined_paths(agent, jnp.asarray(obs), chosen, jnp.asarray(noise)))
    assert paths.shape == (4, 4, 2)
    for path, eps in zip(paths, noise, strict=True):
        state = (obs - MEAN) / STD
        np.testing.assert_allclose(path[0], obs[:2], atol=1e-6)
        for step in range(3):
            control = np.clip(mean[step] + std[step] * eps[step], -1.0, 1.0)
            if model_input == "distribution":  # an executed action has the least standard deviation
                control = np.concatenate([control, np.full(2, agent.policy.min_std, np.float32)])
            state = np.asarray(agent.world_model.step(jnp.asarray(state), jnp.asarray(control)))
            np.testing.assert_allclose(path[step + 1], (state * STD + MEAN)[:2], atol=1e-5)


def drifting_fans(entropy_weight: float) -> tuple[np.ndarray, Fans]:
    """Observations and the plans of an agent in whose model positions follow the actions."""
    agent = eqx.tree_at(lambda tree: tree.world_model, maze_agent(), Drift())
    config = PlanConfig(planned_steps=3, policy_steps=0, guard=False, entropy_weight=entropy_weight, kl_weight=0.0)
    return observations(), imagine(agent, observations(), config, samples=20, seed=1)


def test_imagined_positions_are_in_metres():
    obs, fans = drifting_fans(0.0)
    for chosen, paths in ((fans.base, fans.base_paths), (fans.planned, fans.planned_paths)):
        assert paths.shape == (2, 20, 4, 2)
        drawn = np.clip(
            np.asarray(chosen.mean)[:, None] + np.asarray(chosen.std)[:, None] * fans.noise[None], -1.0, 1.0
        )
        expected = obs[:, None, None, :2] + STD[:2] * 0.1 * np.cumsum(drawn, axis=2)
        np.testing.assert_allclose(paths[:, :, 1:], expected, atol=1e-5)
    assert np.abs(fans.planned_paths - fans.base_paths).max() > 0.01


def test_a_larger_entropy_weight_widens_the_plans():
    narrow, wide = (np.std(drifting_fans(weight)[1].planned_paths[:, :, -1], axis=1).mean() for weight in (0.0, 10.0))
    assert wide > 1.2 * narrow


def test_recorded_episodes_are_those_of_a_loop_with_the_controller():
    agent = maze_agent()
    played = play(agent, "PointMaze-Blocks-v0", command.BASE, episodes=2, seed=3)
    assert played.observations.shape == (2, 151, 4)
    assert played.entropies.shape == (2, 150)
    for row in range(2):
        env = MELROController(gym.make("PointMaze-Blocks-v0"), agent, **command.BASE)
        seen, total, reached, over = [env.reset(seed=3 + row)[0]], 0.0, False, False
        while not over:
            obs, reward, _, over, info = env.step(None)
            seen.append(obs)
            total, reached = total + float(reward), reached or info["success"]
        np.testing.assert_allclose(played.observations[row], seen, atol=0.02)  # rounding grows over 150 steps
        assert played.returns[row] == pytest.approx(total, abs=0.02)
        assert played.reached[row] == reached
        std = np.array([agent(item).std for item in played.observations[row][:-1]])
        np.testing.assert_allclose(played.entropies[row], np.sum(0.5 * np.log(2 * np.pi * np.e * std**2), 1), atol=1e-4)


def test_states_are_spread_along_the_path_not_over_time():
    x = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0, np.nan])
    path = np.stack([x, np.zeros(10), np.arange(10.0), np.zeros(10)], axis=1)
    assert spread_states(path, 4)[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert spread_states(path, 2)[:, 2].tolist() == [0.0, 4.0]


def test_the_scene_is_the_environments():
    scene = look_at("PointMaze-Blocks-v0")
    assert scene.blocks.tolist() == [[x, 0.0, 0.5, 0.5] for x in (-1.0, 0.0, 1.0)]
    assert len(scene.walls) == 24  # the border of 7 by 7 cells
    assert np.abs(scene.walls[:, :2]).max(axis=1).tolist() == [3.0] * 24
    assert (scene.start.tolist(), scene.goal.tolist()) == ([0.0, -2.0], [0.0, 2.0])
    assert len(look_at("PointMaze-v0").blocks) == 0


def recorded(agent: str = "one", weight: float | None = None, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-2.4, 2.4, (4, 31, 2)).astype(np.float16)
    entropies = rng.normal(size=(4, 30)).astype(np.float16)
    positions[1, 11:], entropies[1, 10:] = np.nan, np.nan
    return Panel(agent, "PointMaze-v0", weight, 1.0, [0.5, 1.5], 0.25, [1.0] * 4, positions, entropies)


def axis() -> Any:
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_entropy_maps_show_the_mean_of_each_hexagon():
    panel = recorded()
    drawn = drawing.entropy_map(axis(), look_at("PointMaze-v0"), panel)
    points = panel.positions[:, :-1].reshape(-1, 2).astype(np.float64)
    values = panel.entropies.reshape(-1).astype(np.float64)
    points, values = points[np.isfinite(values)], values[np.isfinite(values)]
    assert len(values) == 100
    centres = drawn.get_offsets()
    # hexagons of this grid are not quite regular; nearest centres are meant in their own units
    width, height = 5.0 / drawing.HEXAGONS, 5.0 / round(drawing.HEXAGONS / np.sqrt(3.0))
    scaled = (points[:, None] - centres[None]) / [width, height]
    nearest = np.argmin(scaled[..., 0] ** 2 + 3.0 * scaled[..., 1] ** 2, axis=1)
    assert set(nearest) == set(range(len(centres)))
    expected = [values[nearest == index].mean() for index in range(len(centres))]
    np.testing.assert_allclose(drawn.get_array(), expected, atol=1e-9)


def test_panels_share_one_scale_of_entropy():
    scene = look_at("PointMaze-v0")
    data = MazeData({}, [scene], [recorded(), recorded(weight=1.0, seed=1)], [])
    maps = [item for axis in drawing.draw_entropy(data).axes for item in axis.collections if hasattr(item, "get_clim")]
    limits = [item.get_clim() for item in maps if item.get_array() is not None and item.cmap.name == "viridis"]
    means = [drawing.entropy_map(axis(), scene, panel).get_array() for panel in data.panels]
    wanted = min(item.min() for item in means), max(item.max() for item in means)
    assert limits[:2] == [wanted, wanted]


def test_paths_are_drawn_up_to_the_end_of_each_episode():
    panel = recorded()
    figure = drawing.draw_paths(MazeData({}, [look_at("PointMaze-v0")], [panel], []))
    (lines,) = (item for item in figure.axes[0].collections if isinstance(item, LineCollection))
    segments = lines.get_segments()
    assert [len(item) for item in segments] == [31, 11, 31, 31]
    np.testing.assert_allclose(segments[1], panel.positions[1, :11], atol=1e-9)


def plan_panel(weight: float, points: list[list[float]]) -> PlanPanel:
    """Straight paths of two points, from the origin in state 0 and from (1, 1) in state 1."""
    ends = np.array(points)[None, :, None]
    paths = np.concatenate([np.zeros_like(ends), ends], axis=2)
    planned, base = np.concatenate([paths, 1.0 + paths / 2.0]), np.concatenate([paths / 4.0, 1.0 + paths / 8.0])
    episode = np.zeros((3, 2), np.float16)
    return PlanPanel("one", "PointMaze-v0", weight, [0.0, 0.1], [1.0, 1.1], episode, base, planned)


def test_windows_hold_all_fans_of_a_state_and_have_one_size():
    group = [plan_panel(0.0, [[0.2, 0.0], [0.0, 0.1]]), plan_panel(1.0, [[-0.2, 0.0], [0.0, -0.3]])]
    (x, y, half), (x1, y1, half1) = drawing.plan_windows(group)
    assert (x, y) == pytest.approx((0.0, -0.1))
    assert half == half1 == pytest.approx(0.6 * 0.4)
    for k, (middle_x, middle_y) in enumerate([(x, y), (x1, y1)]):
        points = np.concatenate([np.concatenate([panel.base[k], panel.planned[k]]).reshape(-1, 2) for panel in group])
        assert np.abs(points - [middle_x, middle_y]).max() < half


def test_plans_are_drawn_beside_each_other_for_every_state_and_weight():
    scene = look_at("PointMaze-v0")
    group = [plan_panel(weight, [[0.2, 0.0], [0.0, 0.1], [0.1, 0.1]]) for weight in (0.0, 1.0, 3.0)]
    axes = drawing.draw_plans(MazeData({}, [scene], [], group)).axes
    assert len(axes) == 2 * (1 + 3)
    base, planned = (item for item in axes[6].collections if isinstance(item, LineCollection))  # state 1, weight 1
    np.testing.assert_allclose(base.get_segments(), group[1].base[1])
    np.testing.assert_allclose(planned.get_segments(), group[1].planned[1])


def test_records_survive_a_file(tmp_path):
    scene = Scene("PointMaze-v0", np.zeros((2, 4)), np.zeros((0, 4)), np.zeros(2), np.ones(2))
    save(tmp_path, MazeData({"seed": 1}, [scene], [recorded(), recorded("two", 0.5, 1)], []))
    back = load(tmp_path)
    assert back.about == {"seed": 1} and back.plans == []
    for panel, original in zip(back.panels, (recorded(), recorded("two", 0.5, 1)), strict=True):
        for name, value in vars(original).items():
            np.testing.assert_array_equal(getattr(panel, name), value)
    np.testing.assert_array_equal(back.scenes[0].goal, [1.0, 1.0])


def call(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["maze_figures", *arguments])
    return command.main()


@pytest.mark.slow
def test_the_command_writes_what_it_says_and_draws_it_again(tmp_path, monkeypatch, capsys):
    source, out = tmp_path / "run" / "best.safetensors", tmp_path / "out"
    save_agent(source, maze_agent())
    quick = [f"{name}={value}" for name, value in QUICK.items()]
    options = ["--episodes", "2", "--entropy-weight", "0", "1", "--states", "2", "--samples", "3", "--set", *quick]
    assert call(monkeypatch, "--agent", str(source), "--out", str(out), *options) == 0
    pictures = ["maze_entropy.png", "maze_paths.png", "maze_plans.png"]
    assert sorted(item.name for item in out.iterdir()) == sorted([*pictures, "maze_paths.npz", "maze_results.json"])
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out", "run"]
    data = load(out)
    envs = ["PointMaze-v0", "PointMaze-Blocks-v0"]
    assert [(panel.agent, panel.env_id, panel.entropy_weight) for panel in data.panels] == [
        ("run/best", env_id, weight) for env_id in envs for weight in (None, 0.0, 1.0)
    ]
    assert all(panel.positions.shape == (2, 151, 2) for panel in data.panels)
    assert all(panel.mean == pytest.approx(np.mean(panel.returns)) for panel in data.panels)
    assert [plan.planned.shape for plan in data.plans] == [(2, 3, 4, 2)] * 2
    assert "success" in capsys.readouterr().out

    before = {name: (out / name).read_bytes() for name in pictures}
    for name in pictures:
        (out / name).unlink()
    assert call(monkeypatch, "--out", str(out), "--redraw") == 0
    assert {name: (out / name).read_bytes() for name in pictures} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "walker-walk"], "walker-walk belongs to WalkerWalk-v0"),
        (["--agent", "no-such-agent"], "shipped agents are"),
        (["--agent", "maze", "--set", "entropy=1"], "--set cannot set entropy"),
        (["--agent", "maze", "--entropy-weight", "-1"], "`entropy_weight` must be at least 0"),
        (["--agent", "maze", "--episodes", "0"], "--episodes must be at least 1"),
        (["--redraw"], "run without --redraw first"),
    ],
)
def test_mistakes_are_refused_before_anything_is_played(arguments, message, tmp_path, monkeypatch, capsys):
    save_agent(tmp_path / "maze.safetensors", maze_agent())
    arguments = [str(tmp_path / "maze.safetensors") if item == "maze" else item for item in arguments]
    assert call(monkeypatch, *arguments, "--out", str(tmp_path / "out")) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
