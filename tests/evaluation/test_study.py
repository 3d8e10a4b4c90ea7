"""Studies: tasks that give the same rows however they are run, stopped and divided."""

from __future__ import annotations

import functools
from dataclasses import asdict, replace

import gymnasium as gym
import numpy as np
import pytest
from toys import TINY_PLAN, tiny_agent

import melro_gym
from melro_gym.evaluation.backends import divided, find_backend
from melro_gym.evaluation.episodes import EpisodeRecord
from melro_gym.evaluation.players import read_player, read_players
from melro_gym.evaluation.results import read_results
from melro_gym.evaluation.study import Study, make_study, run_study
from melro_gym.evaluation.tasks import Meter
from melro_gym.interop.load import load_policy
from melro_gym.suites import Case
from melro_gym.wrappers import VectorMELROController

ENV = "Pendulum-v1"
SHORT = {"max_episode_steps": 12}
PLAN = {**TINY_PLAN, "perturbation_std": 0.2}


@pytest.fixture(scope="module")
def agent_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("agents") / "toy.safetensors"
    record = {"one_step_error": [0.1, 0.1, 0.1], "training": {"seed": 7}, "result": {"env_steps": 40}, "env": ENV}
    melro_gym.save_agent(path, tiny_agent(action_size=1).with_metadata(record))
    return str(path)


def study_of(agent_file, methods=("base-mean", "melro"), seeds=(0, 1), episodes=2, **more) -> Study:
    players = read_players([agent_file], methods, settings=PLAN)
    cases = [("", Case(ENV, SHORT, "short")), ("", Case(ENV, {**SHORT, "g": 5.0}))]
    return make_study(players, cases, seeds=seeds, episodes=episodes, **more)


def untimed(record: EpisodeRecord) -> dict:
    """What does not depend on the machine's speed."""
    content = asdict(record)
    del content["seconds_per_decision"]
    content["diagnostics"] = {key: value for key, value in content["diagnostics"].items() if "_ms" not in key}
    return content


@pytest.fixture(scope="module")
def whole(agent_file, tmp_path_factory):
    """Records of the study, played at a stretch."""
    folder = tmp_path_factory.mktemp("whole")
    return run_study(study_of(agent_file), folder, backend="serial")


def rows(results):
    return [untimed(record) for record in results.records]


def test_a_study_has_the_returns_of_an_evaluation_in_memory(agent_file, whole):
    config = melro_gym.PlanConfig(discount=0.975, **PLAN)
    envs = [(ENV, SHORT), (ENV, {**SHORT, "g": 5.0})]
    for seed in (0, 1):
        table = melro_gym.evaluate(agent_file, envs, ["base-mean", "melro"], episodes=2, seed=seed, config=config)
        for row in table:
            found = [
                record.episode_return
                for record in whole.records
                if (record.env_kwargs, record.method, record.seed) == (row.env_kwargs, row.method, seed)
            ]
            assert found == pytest.approx(row.returns, abs=1e-9)


def test_a_record_says_what_was_played_and_how(agent_file, whole):
    record = next(item for item in whole.records if item.method == "melro" and item.label)
    assert (record.agent, record.variant, record.length, record.episodes) == ("toy", "melro", 12, 2)
    assert (record.training_seed, record.training_env_steps, record.met) == (7, 40, [])
    assert record.settings["perturbation_std"] == 0.2
    assert record.settings["adapt"] is True
    assert record.versions["platform"] == "cpu"
    assert record.seconds_per_decision > 0.0
    assert whole.problems == ()
    assert whole.missing == ()


def test_diagnostics_are_those_of_the_vector_controller(agent_file, whole):
    kwargs: dict = {"vector_kwargs": {"autoreset_mode": gym.vector.AutoresetMode.DISABLED}, **SHORT}
    envs = gym.make_vec(ENV, 2, **kwargs)
    controller = VectorMELROController(envs, melro_gym.load_agent(agent_file), **PLAN)
    records = [item for item in whole.records if item.method == "melro" and item.label and item.seed == 1]
    controller.reset(seed=[item.reset_seed for item in records])
    info: dict = {}
    for _ in range(12):
        *_, info = controller.step(None)
    expected = info["melro"]["episode"]
    for name in ("entropy", "value", "base_value", "clipped_fraction", "guarded", "std"):
        found = [item.diagnostics[name] for item in records]
        assert found == pytest.approx(list(expected[name]), rel=1e-3), name
    arms = np.asarray(info["melro"]["effectiveness"])
    assert [item.diagnostics["effectiveness.0"] for item in records] == pytest.approx(arms[:, 0], abs=1e-3)


def test_times_leave_the_first_decision_out_which_compiles():
    meter, row = Meter(1), np.zeros(1)
    names = ("entropy", "value", "base_value", "model_error", "clipped_fraction", "guarded", "steps_done")
    report = {**dict.fromkeys(names, row), "std": row[:, None], "deadline_hit": row > 0, "failure": np.array([""])}
    for milliseconds in (60_000.0, 8.0, 12.0):
        meter.report({**report, "plan_ms": row + milliseconds})
    meter.end(0, {"position_error": 0.25, "goal": [1.0]})
    assert meter.diagnostics[0]["position_error"] == 0.25
    assert [meter.diagnostics[0][name] for name in ("plan_ms", "slowest_ms", "steps")] == [10.0, 12.0, 3.0]


class Stop(Exception):
    pass


def test_a_stopped_study_goes_on_and_gives_the_same_rows(agent_file, whole, tmp_path):
    study = study_of(agent_file)

    def stop(done):
        raise Stop

    seen = []
    for _ in range(3):
        with pytest.raises(Stop):
            run_study(study, tmp_path, backend="serial", on_done=stop)
    torn = next(tmp_path.glob("????????????????.jsonl"))
    torn.write_bytes(torn.read_bytes()[:-9])
    assert len(study.pending(tmp_path)) == 6
    results = run_study(study, tmp_path, backend="serial", on_done=seen.append)
    assert [(done.finished, done.total) for done in seen] == [(number, 8) for number in range(3, 9)]
    assert rows(results) == rows(whole)
    assert results.problems == ()
    again = []
    run_study(study, tmp_path, backend="serial", on_done=again.append)
    assert again == []


def test_rows_do_not_depend_on_the_order_and_division_of_the_tasks(agent_file, whole, tmp_path):
    study = study_of(agent_file)
    for share in divided(study.tasks[::-1], 3):
        results = run_study(replace(study, tasks=tuple(share)), tmp_path, backend="serial")
        assert len(results.records) == 2 * len(share)
    assert rows(read_results(tmp_path)) == rows(whole)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["joblib", "ray", "slurm"])
def test_every_backend_gives_the_same_rows(agent_file, whole, tmp_path, backend):
    pytest.importorskip("submitit" if backend == "slurm" else backend)
    settings = {"cluster": "local"} if backend == "slurm" else {}
    results = run_study(study_of(agent_file), tmp_path, backend=backend, jobs=2, settings=settings)
    assert rows(results) == rows(whole)


def test_a_backend_whose_library_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "melro-gym\[ray\]"'):
        find_backend("ray")
    with pytest.raises(ValueError, match="serial"):
        find_backend("serail")


def test_mixtures_are_refused_before_anything_is_written(agent_file, tmp_path, monkeypatch):
    one = functools.partial(study_of, agent_file, ("base-mean",), (0,))
    run_study(one(), tmp_path, backend="serial")
    before = sorted(item.name for item in tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"'toy base-mean' with other settings or another number of episodes"):
        run_study(one(episodes=3), tmp_path, backend="serial")
    other = tmp_path / "toy.safetensors"
    agent = melro_gym.load_agent(agent_file)
    melro_gym.save_agent(other, tiny_agent(action_size=1, seed=1).with_metadata(agent.metadata))
    with pytest.raises(ValueError, match="another file named 'toy'"):
        run_study(study_of(str(other), ("base-mean",), (5,)), tmp_path, backend="serial")
    other.unlink()
    monkeypatch.setattr("melro_gym.evaluation.study.package_versions", lambda: {"jax": "99"})
    with pytest.raises(ValueError, match=r"holds records of jax .*; this is 99"):
        run_study(one(), tmp_path, backend="serial")
    assert sorted(item.name for item in tmp_path.iterdir()) == before


def test_an_agent_that_does_not_fit_is_refused_before_anything_is_written(agent_file, tmp_path):
    players = read_players([agent_file], ["base-mean"])
    study = make_study(players, [("", Case("MountainCarContinuous-v0"))], seeds=[0], episodes=1)
    with pytest.raises(ValueError, match="observations of size 3"):
        run_study(study, tmp_path / "out", backend="serial")
    assert not (tmp_path / "out").exists()


def test_a_file_that_has_changed_is_not_played(tmp_path):
    path = tmp_path / "changing.safetensors"
    melro_gym.save_agent(path, tiny_agent(action_size=1))
    study = make_study(read_players([str(path)], ["base-mean"]), [("", Case(ENV, SHORT))], seeds=[0], episodes=1)
    melro_gym.save_agent(path, tiny_agent(action_size=1, seed=1))
    with pytest.raises(ValueError, match="has changed since the study began"):
        run_study(study, tmp_path / "out", backend="serial")


def test_players_are_agents_by_methods_with_their_own_settings_and_policies(agent_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "still.py").write_text("def policy(obs):\n    return 0.0 * obs[:, :1]\n")
    words = ["base-mean", "melro:directions=10,planned_steps=2", "melro-paper", f"melro-fixed@mine={agent_file}"]
    common = {"directions": 12, "policy_steps": 1}
    players = read_players([agent_file], words, ["still=still.py:policy"], common, load_policy)
    names = ["toy base-mean", "toy melro:directions=10,planned_steps=2", "toy melro-paper"]
    assert [player.name for player in players] == [*names, "mine melro-fixed", "still policy"]
    base, variant, paper, fixed, policy = players
    assert base.settings == policy.settings == {}
    assert [variant.settings[name] for name in ("directions", "planned_steps", "policy_steps")] == [10, 2, 1]
    assert [paper.settings[name] for name in ("guard", "kl_weight", "paper_discount")] == [False, 0.0, True]
    assert paper.method == fixed.method == "melro-fixed"
    assert read_player("mine", players) is fixed
    runs = [f"mine={agent_file}", agent_file]
    assert [player.name for player in read_players(runs, ["base-mean", "melro@mine"])] == [
        "mine base-mean",
        "toy base-mean",
        "mine melro",
    ]
    assert read_player("melro-paper", players) is paper
    assert read_player("walker-walk", players).method == "base-mean"
    study = make_study(players[-1:], [("", Case(ENV, SHORT))], seeds=[3], episodes=2, load=load_policy)
    results = run_study(study, tmp_path / "out", backend="serial")
    [row] = melro_gym.evaluate(lambda obs: 0.0 * obs[:, :1], (ENV, SHORT), episodes=2, seed=3)
    assert [record.episode_return for record in results.records] == pytest.approx(row.returns)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["melroo"], "Did you mean 'melro'"),
        (["melro:directions"], "METHOD:name=value"),
        (["base-mean:directions=3"], "does not plan"),
        (["melro:deadline=0.1"], "depend on the machine's speed"),
        (["melro:directoins=3"], "directions"),
        (["melro", "melro"], "twice"),
    ],
)
def test_a_wrong_method_is_one_clear_line(agent_file, methods, message):
    with pytest.raises(ValueError, match=message) as error:
        read_players([agent_file], methods)
    assert "\n" not in str(error.value)


class Told(gym.Env):
    """Says what is perturbed, and whether it succeeded."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action):
        info = {"perturbation": {"name": "mass", "value": (1.5, 2.0), "unit": "kg"}, "success": np.True_}
        return np.zeros(3, np.float32), 1.0, True, False, info


def test_a_record_says_what_was_perturbed_and_whether_it_succeeded(agent_file, tmp_path):
    gym.register("study/Told-v0", entry_point=lambda **kwargs: Told(**kwargs))
    players = read_players([agent_file], ["base-mean"])
    study = make_study(players, [("set", Case("study/Told-v0"))], seeds=[0], episodes=1)
    [record] = run_study(study, tmp_path, backend="serial").records
    assert (record.parameter, record.value, record.nominal, record.success) == ("mass", [1.5, 2.0], None, True)
    assert (record.suite, record.length, record.episode_return) == ("set", 1, 1.0)
