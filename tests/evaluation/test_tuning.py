from __future__ import annotations

import optuna
import probes
import pytest
from toys import tiny_agent

from melro_gym.evaluation.protocol import default_config
from melro_gym.evaluation.tuning import CANDIDATES, TUNING_SETS, finalists, suggest_settings, tune

probes.register()
ENVS = [("probe/Chase-v0", {})]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")  # constant_liar, for several processes
def test_a_study_goes_on_where_it_stopped_and_ranks_its_trials(tmp_path):
    agent, path, seen = tiny_agent(obs_size=1, action_size=1), tmp_path / "study.db", []
    for _ in range(2):
        tune(agent, ENVS, trials=1, episodes=2, storage=path, on_trial=seen.append)
    assert [trial.number for trial in seen] == [0, 1]
    best = max(seen, key=lambda trial: trial.mean)
    assert finalists(path, 1) == [best.settings]


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_candidates_lie_in_the_searched_ranges_and_are_valid_settings(candidate):
    settings = suggest_settings(optuna.trial.FixedTrial(candidate))
    config = default_config(tiny_agent(), **settings)
    assert config.top_directions <= config.directions


def test_the_first_candidate_is_the_default():
    defaults, config = CANDIDATES[0], default_config(tiny_agent())
    numbers = {name: getattr(config, name) for name in defaults if name != "entropy_weight"}
    assert all(float(numbers[name]) == pytest.approx(defaults[name]) for name in numbers)


def test_no_tuning_environment_disables_a_joint():
    assert all("Disabled" not in env_id for envs in TUNING_SETS.values() for env_id, _ in envs)
