"""The comparison of the planner's options, on an environment of 20 steps."""

from __future__ import annotations

from dataclasses import replace

import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY

from benchmarks import options
from benchmarks.options import PESSIMISM, VARIANTS, Cell, Settings, Variant, cell_name, chosen, differences, play
from melro_gym.checkpoint import save_agent
from melro_gym.evaluation.protocol import episode_seeds, evaluate
from melro_gym.evaluation.seating import default_config
from melro_gym.models import Agent, AgentConfig

CHASE = ("probe/Chase-v0", {})
FEW = {"planned_steps": 2, "policy_steps": 0, "directions": 4, "top_directions": 2, "optimise_steps": 2}


@pytest.fixture(scope="module")
def agent():
    probes.register()
    return Agent(AgentConfig(1, 1, ensemble_size=2, **TINY), record={"env": "probe/Chase-v0"}, key=jr.key(0))


@pytest.mark.parametrize(
    ("name", "method"), [("default", "melro"), ("adapt=False", "melro-fixed"), ("base policy", "base-mean")]
)
def test_variants_play_as_the_methods_of_the_evaluation(agent, name, method):
    variant = next(item for item in VARIANTS if item.name == name)
    variant = replace(variant, settings={**variant.settings, **FEW}) if variant.plans else variant
    config = default_config(agent, **FEW)
    (row,) = evaluate(agent, [CHASE], [method], episodes=3, seed=5, config=config)
    assert play(agent, Cell(variant, CHASE), episode_seeds(5, 3)) == row.returns


def test_differences_are_taken_episode_by_episode():
    """Two environments whose returns differ by far more than what the option does in each episode."""
    variants = [Variant("default"), Variant("other")]
    envs = [("A-v0", {}), ("B-v0", {"value": 1})]
    rng = np.random.default_rng(0)
    records = {}
    for env, level in zip(envs, (100.0, 900.0), strict=True):
        base = level + 50.0 * rng.normal(size=30)
        records[cell_name("default", env)] = {"returns": base.tolist()}
        records[cell_name("other", env)] = {"returns": (base + 3.0 + 0.1 * rng.normal(size=30)).tolist()}
    gain = differences(records, variants, envs)["other"]
    assert gain.mean == pytest.approx(3.0, abs=0.1)
    assert 2.9 < gain.low < gain.high < 3.1


def test_chosen_variants_bring_those_they_are_compared_with():
    names = [variant.name for variant in chosen(["entropy_weight=0.005"], VARIANTS)]
    assert names == ["default", "rollouts=1", "entropy_weight=0.005"]
    assert chosen([], VARIANTS) == list(VARIANTS)
    with pytest.raises(ValueError, match="Unknown variant 'rollouts=3'. Choices: base policy, default"):
        chosen(["rollouts=3"], VARIANTS)


def test_every_variant_is_compared_with_one_that_is_played():
    names = [variant.name for variant in (*VARIANTS, *PESSIMISM)]
    assert len(set(names)) == len(names)
    assert all(variant.reference in names for variant in (*VARIANTS, *PESSIMISM))


def test_the_command_plays_its_variants_and_draws_them(agent, tmp_path, monkeypatch, capsys):
    smaller = lambda variant: replace(variant, settings={**variant.settings, **FEW})
    some = tuple(smaller(variant) for variant in VARIANTS if variant.name in ("default", "rollouts=1"))
    some += tuple(smaller(variant) for variant in VARIANTS if variant.name == "AutoEntropyWeight")
    monkeypatch.setattr(options, "ENVS", (CHASE,))
    monkeypatch.setattr(options, "VARIANTS", some)
    monkeypatch.setattr(options, "PESSIMISM", (smaller(PESSIMISM[1]),))
    save_agent(tmp_path / "agent.safetensors", agent)
    settings = Settings(
        agent=str(tmp_path / "agent.safetensors"),
        episodes=2,
        tasks=1,
        json=tmp_path / "options.json",
        figure=tmp_path / "options.png",
    )
    options.main(settings)
    printed = capsys.readouterr().out
    for name in ("default", "rollouts=1", "AutoEntropyWeight", "pessimism=worst"):
        assert f"probe/Chase-v0 | {name}: " in printed
    assert (tmp_path / "options.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("wrong", [{"episodes": 0}, {"tasks": 0}, {"tasks": 9}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="at least one episode and 1 to 4 tasks"):
        Settings(**wrong)
