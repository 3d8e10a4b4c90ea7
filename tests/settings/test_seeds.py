"""Seeds of any size and source."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from melro_gym.evaluation import episode_seeds
from melro_gym.seeds import derived, random_key, read_optional_seed, read_seed, sequence
from melro_gym.training import make_config
from melro_gym.training.agents import EnvFacts, blank_agent

SEEDS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**40]
SEEDS += [base + (3 << 32) for base in (0, 1)]  # whose words are those of 0 and 1, and the stream 3


def test_different_seeds_and_streams_have_different_numbers():
    keys = [tuple(np.asarray(jr.key_data(random_key(seed))).tolist()) for seed in SEEDS]
    assert len(set(keys)) == len(SEEDS)
    # no key of a large seed can be that of a small one
    assert [key[0] >= 2**31 for key in keys] == [seed >= 2**32 for seed in SEEDS]
    streams = [(1, 0), (1, 7), (2, 0), (3, 0), (3, 2), (4,), (5,), (6,), (99,)]  # of training and evaluation
    words = {tuple(sequence(seed, *stream).generate_state(4)) for seed in SEEDS for stream in streams}
    assert len(words) == len(SEEDS) * len(streams)
    assert len({tuple(episode_seeds(seed, 3)) for seed in SEEDS}) == len(SEEDS)


def test_small_seeds_give_what_they_always_gave():
    for seed in (0, 7, 2**31, 2**32 - 1):
        np.testing.assert_array_equal(jr.key_data(random_key(seed)), jr.key_data(jr.key(seed)))
        expected = np.random.SeedSequence((seed, 1, 5)).generate_state(3)
        assert derived(seed, 3, 1, 5) == expected.tolist()


@pytest.mark.parametrize("given", [np.int64(3), np.uint8(3), np.asarray(3), jnp.int32(3), "3", 3.0])
def test_a_seed_of_any_source_is_the_same_seed(given):
    assert read_seed(given) == read_optional_seed(given) == 3
    assert read_optional_seed(None) is None
    np.testing.assert_array_equal(jr.key_data(random_key(given)), jr.key_data(jr.key(3)))


@pytest.mark.parametrize("wrong", [-1, 2.5, True, "three", None, np.arange(2)])
def test_what_is_no_seed_is_refused(wrong):
    for use in (read_seed, random_key, sequence, lambda seed: episode_seeds(seed, 2)):
        with pytest.raises(ValueError, match="`seed` must be"):
            use(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "many", None])
def test_episodes_are_counted(wrong):
    with pytest.raises(ValueError, match="`episodes` must be"):
        episode_seeds(0, wrong)
    assert len(episode_seeds(0, np.int64(3))) == 3


def test_networks_of_training_differ_with_the_seed():
    facts = EnvFacts(obs_size=2, action_size=1, action_repeat=1, record={})
    sizes = dict.fromkeys(("model_width", "policy_width", "critic_width", "reward_width"), 4)
    weights = set()
    for seed in (0, 2**32, 2**64, 10**30):
        agent = blank_agent(make_config("cpu", seed=seed, **sizes), facts)
        weights.add(float(agent(np.ones(2)).mean[0]))
    assert len(weights) == 4
