"""Every setting there is: its default, the ends of its range, wrong values and wrong names, by every way in."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym.cli.parsing import parse_settings
from melro_gym.control.options import Options, plain_settings, read_settings
from melro_gym.planning import PlanConfig
from melro_gym.settings import flatten, settings_of
from melro_gym.training import PRESETS, TrainConfig, make_config
from melro_gym.values import Setting

AGENT = tiny_agent()


def controller(**given: Any) -> tuple[PlanConfig, Options]:
    """What a controller makes of its arguments."""
    return read_settings(AGENT, plain_settings(given))


TABLE = [
    *((make_config, rule) for rule in settings_of(TrainConfig).values()),
    *((PlanConfig, rule) for rule in settings_of(PlanConfig).values()),
    *((controller, rule) for rule in settings_of(Options).values()),
]
IDS = [f"{make.__name__}-{rule.name}" for make, rule in TABLE]
LARGE = 2**40
WRONG: dict[Any, tuple[Any, ...]] = {
    bool: (2, 0.5, "perhaps", [True], np.zeros(2)),
    int: (2.5, True, "many", np.float32(2.5), LARGE, "1e400", np.zeros(2), None),
    float: ("fast", True, float("nan"), np.float32("inf"), 10**400, 1e300, [1.0], None),
    str: (3, 2.5, None, ["ars"], b"ars"),
    object: (3, None, {"a": 1}, {1, 2}),  # a JSON list
    dict: (3, "[1]", {"a": {1, 2}}, {"a": float("nan")}, {1: 2}),
}


def sources(rule: Setting, value: Any) -> list[Any]:
    """The value as it comes from a shell, NumPy and JAX."""
    (text,) = parse_settings([[f"{rule.name}={value}"]]).values()
    arrays = (
        [np.asarray(value), jnp.asarray(value)]
        if rule.kind in (int, float, bool) and isinstance(value, (int, float))
        else []
    )
    return [text, *arrays] if rule.kind is not dict else [str(value)]


@pytest.mark.parametrize(("make", "rule"), TABLE, ids=IDS)
def test_every_setting_takes_its_default_from_any_source_and_refuses_what_is_wrong(make, rule):
    assert rule.text and "\n" not in rule.text
    for given in sources(rule, rule.default):
        read = rule.read(given)
        assert read == rule.default and type(read) is type(rule.read(rule.default))
    wrong = [value for value in WRONG[rule.kind] if not (value is None and rule.optional)]
    wrong = [value for value in wrong if rule.high is None or value is not LARGE]
    for value in wrong + outside(rule):
        with pytest.raises(ValueError, match=f"`{rule.name}") as caught:
            make(**{rule.name: value})
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    with pytest.raises(ValueError, match=f"Did you mean .*'{rule.name}'"):
        make(**{rule.name[:-1] + rule.name[-1] * 2: rule.default})


def outside(rule: Setting) -> list[Any]:
    """Values just beyond the ends of the range, after checking that the ends themselves are inside or not."""
    found: list[Any] = []
    step = 1 if rule.kind is int else 1e-3
    for end, sign, included in (
        (rule.low, -1, True),
        (rule.high, 1, True),
        (rule.above, 0, False),
        (rule.below, 0, False),
    ):
        if end is None or np.isinf(end):
            continue
        if included:
            assert rule.read(end) == end
        found.append(end + sign * step)
    return found + (["none of them"] if rule.choices else [])


def test_the_ranges_are_those_that_the_formulas_need():
    """Probabilities and shares lie between 0 and 1, scales and variances are positive, counts at least 1."""
    rules = {**settings_of(PlanConfig), **settings_of(TrainConfig)}
    for name in ("td_lambda", "random_share", "entropy_rise"):
        assert rules[name].range == "at least 0.0 and at most 1.0"
    for name in ("target_rate", "average_rate", "final_learning_rate", "cvar_fraction"):
        assert rules[name].range == "above 0.0 and at most 1.0"
    for name in ("reward_scale", "min_std", "emission_variance", "perturbation_std", "step_size", "temperature"):
        assert rules[name].range == "above 0.0"
    for name in ("num_envs", "eval_every", "eval_episodes", "planned_steps", "directions", "model_width"):
        assert rules[name].range == "at least 1"
    for name in ("entropy_weight", "kl_weight", "learning_rate", "exploration_noise", "conservativity"):
        assert rules[name].range == "at least 0.0"
    assert rules["discount"].range == "at least 0.0 and below 1.0"  # the critic is scaled by 1 / (1 - discount)
    assert settings_of(PlanConfig)["discount"].range == "at least 0.0 and at most 1.0"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"quiet_envs": 3, "num_envs": 2}, r"`quiet_envs` must lie in \[0, num_envs=2\]; got 3"),
        ({"initial_decisions": 3}, "`initial_decisions` must be at least `model_window`"),
        ({"imagine": "actuators", "model_input": "distribution"}, "`imagine` needs `model_input='action'`"),
        ({"min_std": 0.5, "max_std": 0.4}, r"`min_std` must be at most `max_std` \(0.4\); got 0.5"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_config(**wrong)


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_survive_json_and_numpy(preset):
    config = make_config(preset, env_kwargs={"value": ((3, np.float32(2)),)}, seed=np.int64(5))
    assert config.to_json()["env_kwargs"] == {"value": [[3, 2.0]]} and config.to_json()["seed"] == 5
    assert TrainConfig(**config.to_json()).to_json() == config.to_json()
    arrays = {name: np.asarray(value) for name, value in config.to_json().items() if isinstance(value, int | float)}
    assert TrainConfig(**{**config.to_json(), **arrays}).to_json() == config.to_json()


def test_groups_take_values_of_any_source_too():
    config = make_config()
    run = dataclasses.replace(config.run, seed=np.int64(3), discount=".9")
    assert (run.seed, run.discount) == (3, 0.9)
    assert dataclasses.replace(config.algorithm, entropy_weight=np.float32(0.1)).entropy_weight == 0.1
    options: Any = {"deadline": "0.5", "adapt": "no", "chunk_steps": np.uint8(4)}
    assert (Options(**options).deadline, Options(**options).adapt, Options(**options).chunk_steps) == (0.5, False, 4)


def test_plans_settings_are_plain_by_name_and_arrays_inside():
    config = PlanConfig(entropy_weight=np.float32(0.1), optimiser="mppi", temperature=jnp.float32(0.2), guard="False")
    plain = flatten(config)
    assert (plain["entropy_weight"], plain["temperature"], plain["guard"], plain["optimiser"]) == (
        0.1,
        0.2,
        False,
        "mppi",
    )
    assert config.entropy_weight.dtype == jnp.float32
    assert flatten(dataclasses.replace(config, discount=0.5)) == {**plain, "discount": 0.5}
