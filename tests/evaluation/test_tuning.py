from __future__ import annotations

import functools
import json

import numpy as np
import optuna
import probes
import pytest
from toys import tiny_agent

from melro_gym import cli
from melro_gym.evaluation.importance import importances
from melro_gym.evaluation.records import make_row
from melro_gym.evaluation.seating import default_config
from melro_gym.evaluation.spaces import CANDIDATES, SPACES, suggest_settings
from melro_gym.evaluation.tuning import TUNING_SETS, Trial, finalists, finished_trials, open_study, tune
from melro_gym.planning import PlanConfig
from melro_gym.planning.paper import TABLE_2

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


SETTINGS = {**{name: values[0] for name, values in TABLE_2.values()}, "directions": 16, "top_directions": 4}


def test_the_papers_space_is_table_2_with_the_papers_planner():
    space = SPACES["paper"]
    settings = space.suggest(optuna.trial.FixedTrial(SETTINGS))
    assert set(settings) == {name for name, values in TABLE_2.values() if len(values) > 1}
    config = default_config(tiny_agent(), **{**space.fixed, **settings})
    assert (config.guard, config.deterministic, config.paper_discount, config.rollouts) == (False, False, True, 1)
    assert space.method == "melro-fixed"
    with pytest.raises(ValueError, match=r"0\.7"):  # of no row
        space.suggest(optuna.trial.FixedTrial({**SETTINGS, "discount": 0.7}))


def returns_by_weight(monkeypatch, best: float) -> list:
    """Plays nothing: an episode returns less the further the KL weight is from the best one."""
    played = []

    def play(agent, envs, methods, *, episodes, seed, config=None):
        played.append((envs[0][0], episodes, seed))
        distance = abs(np.log(float((config or PlanConfig()).kl_weight) / best))
        noise = np.random.default_rng(seed % 1000).normal(0.0, 0.01, episodes)
        return [make_row(envs[0][0], {}, methods[0], noise - distance) for _ in envs]

    monkeypatch.setattr("melro_gym.evaluation.tuning.evaluate", play)
    monkeypatch.setattr("melro_gym.evaluation.protocol.evaluate", play)
    return played


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_hopeless_trials_are_given_up_and_never_finalists(tmp_path, monkeypatch):
    played, seen = returns_by_weight(monkeypatch, best=0.1), []
    envs = [("a", {}), ("b", {}), ("c", {})]
    tune(tiny_agent(), envs, trials=9, episodes=4, storage=tmp_path / "s.db", on_trial=seen.append)
    assert not seen[0].pruned  # kl_weight=0.1
    worse = [trial for trial in seen[1:] if abs(np.log(trial.settings["kl_weight"] / 0.1)) > 0.5]
    assert len(worse) >= 3
    assert all(trial.pruned and len(trial.returns) < 3 for trial in worse)
    assert sum(episodes for _, episodes, _ in played) == 4 * sum(len(trial.returns) for trial in seen)
    for trial in seen:
        distance = -abs(np.log(trial.settings["kl_weight"] / 0.1))
        assert trial.mean == pytest.approx(distance, abs=0.02)
    assert finished_trials(tmp_path / "s.db") == seen
    whole = [trial for trial in seen if not trial.pruned]
    best = max(whole, key=lambda trial: trial.mean)
    assert finalists(tmp_path / "s.db", 99)[0] == best.settings
    assert len(finalists(tmp_path / "s.db", 99)) == len(whole)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_trial_plays_the_same_episodes_in_its_rounds(tmp_path, monkeypatch):
    played = returns_by_weight(monkeypatch, best=0.1)
    envs = [("a", {}), ("b", {})]
    tune(tiny_agent(), envs, trials=2, episodes=5, rounds=2, seed=3, storage=tmp_path / "s.db", racing=False)
    assert len(played) == 8
    assert played[:4] == played[4:]
    assert [(env, episodes) for env, episodes, _ in played[:4]] == [("a", 3), ("b", 3), ("a", 2), ("b", 2)]
    assert played[0][2] == played[1][2] == 3 != played[2][2]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_trials_of_another_run_are_not_mixed_in(tmp_path, monkeypatch):
    returns_by_weight(monkeypatch, best=0.1)
    run = functools.partial(tune, envs=[("a", {})], trials=1, storage=f"sqlite:///{tmp_path / 's.db'}")
    run(tiny_agent(), episodes=2)
    with pytest.raises(ValueError, match=r"other agent, episodes\)"):
        run(tiny_agent(seed=1), episodes=3)
    run(tiny_agent(seed=1), episodes=3, study="second")
    assert len(open_study(tmp_path / "s.db").trials) == len(CANDIDATES)  # one played, the others queued


def trials_of(values, *, varied, seed=0) -> list[Trial]:
    rng = np.random.default_rng(seed)
    settings = [{name: rng.choice(choices) for name, choices in varied.items()} for _ in range(90)]
    plain = [{name: value.item() for name, value in item.items()} for item in settings]
    return [Trial(number, item, values(item), [], False) for number, item in enumerate(plain)]


def test_importances_find_what_returns_depend_on_and_only_that():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    noise = list(np.round(rng.uniform(0.0, 1.0, 80), 3))
    varied = {"entropy_weight": [0.0, 0.1, 0.5, 1.0], "directions": [8, 16], "step_size": noise, "rollouts": [1]}
    studies = {
        "easy": trials_of(lambda item: 900.0 - 100.0 * item["entropy_weight"] + rng.normal(0.0, 25.0), varied=varied),
        "hard": trials_of(lambda item: 100.0 - 10.0 * item["entropy_weight"] + rng.normal(0.0, 2.5), varied=varied),
    }
    studies["easy"].append(Trial(200, {**studies["easy"][0].settings, "entropy_weight": 1e6}, 1e9, [], True))
    found = importances(studies)
    assert list(found)[0] == "entropy_weight"
    assert set(found) == {"entropy_weight", "directions", "step_size"}  # `rollouts` does not vary
    assert sum(item.impurity for item in found.values()) == pytest.approx(1.0)
    assert found["entropy_weight"].permutation > 0.5
    # the bias of impurity: step_size does not matter, has many values, and looks important
    assert found["step_size"].impurity > 0.1 > abs(found["step_size"].permutation)
    with pytest.raises(ValueError, match="at least 20 trials"):
        importances({"few": studies["easy"][:5]})


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_command_searches_for_each_perturbation_and_writes_all_trials(tmp_path, monkeypatch, capsys):
    played = returns_by_weight(monkeypatch, best=0.1)
    envs = ["--env", "WalkerWalk-ThighLength-v0", "--value", "0.15", "0.4", "--each"]
    words = ["tune", "--out", str(tmp_path / "s.db"), *envs, "--episodes", "2", "--final-episodes", "3"]
    assert cli.main([*words, "--trials", "2", "--finalists", "1", "--json", str(tmp_path / "t.json")]) == 0
    shown = capsys.readouterr().out
    assert "WalkerWalk-ThighLength-v0 value=0.15:" in shown
    assert shown.count("Best 1 again, 3 fresh episodes each") == 2
    trials = json.loads((tmp_path / "t.json").read_text())["trials"]
    names = [f"WalkerWalk-ThighLength-v0 value={value}" for value in (0.15, 0.4)]
    assert [(trial["study"], trial["number"]) for trial in trials] == [(name, n) for name in names for n in (0, 1)]
    assert [list(trial["returns"]) for trial in trials] == [[trial["study"]] for trial in trials]
    assert {trial["settings"]["kl_weight"] for trial in trials} == {0.1, 0.3}
    assert {episodes for _, episodes, seed in played if seed == 1000} == {3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--envs", "cat"], "Choices: walker"),
        (["--suite", "melro-joint"], "Did you mean 'melro-joints'"),
        (["--suite", "melro-joints", "--env", "WalkerWalk-v0"], "either --suite or --env"),
        (["--suite", "rwrl-challenge-easy"], "no search"),
        (["--episodes", "2", "--rounds", "3"], "`rounds` must be at most"),
    ],
)
def test_mistakes_are_one_clear_line_and_no_study(words, message, tmp_path, capsys):
    assert cli.main(["tune", "--out", str(tmp_path / "s.db"), *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
