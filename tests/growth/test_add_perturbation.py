"""A perturbation is added by one file, `other_package/side_wind.py`, and has all that the package's own have."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

import melro_gym
from melro_gym.envs import tables
from melro_gym.envs.listing import list_environments
from melro_gym.envs.perturbations import Push

FOLDER = Path(__file__).parent / "other_package"


@contextlib.contextmanager
def restored_tables() -> Iterator[None]:
    """Forget afterwards what is registered inside."""
    present: list[dict[Any, Any]] = [gym.registry, tables._MODULES, *tables._ROWS.values()]
    before = [dict(entries) for entries in present]
    try:
        yield
    finally:
        for entries, kept in zip(present, before, strict=True):
            entries.clear()
            entries.update(kept)


@pytest.fixture(scope="module")
def foreign() -> Iterator[ModuleType]:
    """The other package, imported, and forgotten after the tests."""
    sys.path.insert(0, str(FOLDER))
    with restored_tables():
        yield importlib.import_module("side_wind")
    sys.path.remove(str(FOLDER))
    del sys.modules["side_wind"]


def make(env_id: str, **kwargs: Any) -> Any:
    return gym.make(env_id, **kwargs).unwrapped


def test_every_task_of_the_domain_gets_an_id_in_the_registry_and_in_the_list(foreign: ModuleType):
    assert foreign.IDS == [
        "QuadrupedWalk-SideWind-v0", "QuadrupedRun-SideWind-v0", "PointMaze-SideWind-v0",
        "HopperStand-Load-v0", "HopperHop-Load-v0", "PointMaze-Load-v0", "FrankaReach-Load-v0",
        "ShadowHandCube-Load-v0",
        "WalkerWalk-Surface-v0", "WalkerRun-Surface-v0", "WalkerStand-Surface-v0",
    ]  # fmt: skip
    assert all(name in gym.registry and f"melro/{name}" in gym.registry for name in foreign.IDS)
    (row,) = list_environments("QuadrupedWalk-SideWind")
    assert (row.parameter, row.nominal, row.range, row.unit) == ("side_wind", "0", "0 to 5", "m/s^2")
    assert {row.env_id for row in list_environments("surface")} == set(foreign.IDS[-3:])


def test_a_perturbation_that_acts_does_so_at_its_time(foreign: ModuleType):
    env = make("QuadrupedWalk-SideWind-v0", value=2.0, action_repeat=1)
    env.reset(seed=0)
    forces = []
    for step in (0, 498, 499, 500, 501):
        env._elapsed = step
        env.step(np.zeros(12))
        forces.append(env.data.xfrc_applied[:, 1].sum())
    np.testing.assert_allclose(forces, [0.0] * 3 + [2.0 * 107.1179] * 2, rtol=1e-5)


def test_its_settings_are_taken_from_the_ids_arguments(foreign: ModuleType):
    env = make("PointMaze-SideWind-v0", value=2.0, perturbation_kwargs={"onset": 0.25})
    for options in ({}, {"perturbation": 3.0}, {"perturbation": {"perturbation": "side_wind:side_wind"}}):
        env.reset(seed=0, options=options)
        assert env._memory == 75
    with pytest.raises(ValueError, match="known: onset"):
        make("PointMaze-SideWind-v0", perturbation_kwargs={"set_in": 0.25})


@pytest.mark.parametrize(
    ("env_id", "body"),
    [
        ("HopperHop-Load-v0", "torso"),
        ("PointMaze-Load-v0", "particle"),
        ("FrankaReach-Load-v0", "hand"),
        ("ShadowHandCube-Load-v0", "object"),
    ],
)
def test_a_perturbation_that_edits_the_model_does_so_in_every_family(foreign: ModuleType, env_id: str, body: str):
    nominal, loaded = make(f"{env_id.split('-')[0]}-v0"), make(env_id, value=10.0)
    masses = [env.model.body(body).subtreemass[0] for env in (nominal, loaded)]
    assert masses[1] - masses[0] == pytest.approx(10.0)
    assert loaded.reset(seed=0)[1]["perturbation"] == {"name": "load", "value": 10.0, "unit": "kg"}
    loaded.step(np.zeros(loaded.action_space.shape))


def test_a_wind_also_blows_in_the_maze_and_its_nominal_value_is_calm(foreign: ModuleType):
    plain, calm, windy = make("PointMaze-v0"), make("PointMaze-SideWind-v0"), make("PointMaze-SideWind-v0", value=3.0)
    ends = []
    for env in (plain, calm, windy):
        env.reset(seed=0)
        ends.append([env.step(np.array([0.01, 0.0]))[0] for _ in range(100)])
    np.testing.assert_array_equal(ends[1], ends[0])
    np.testing.assert_array_equal(ends[2][74], ends[0][74])  # 300 control steps, two a decision
    assert ends[2][99][1] > ends[0][99][1] + 0.1


def test_a_value_need_not_be_a_number(foreign: ModuleType):
    env = make("WalkerWalk-Surface-v0", randomize=True)
    env.reset(seed=0)
    frictions = {}
    for _ in range(12):
        name = env.reset()[1]["perturbation"]["value"]
        frictions[name] = env.model.geom("floor").friction[0]
    assert frictions == {"tartan": 0.7, "ice": 0.01}
    assert env.reset(options={"perturbation": {"value": "ice"}})[1]["perturbation"]["value"] == "ice"
    with pytest.raises(ValueError, match="Did you mean 'ice'"):
        make("WalkerWalk-Surface-v0", value="icy")
    with pytest.raises(ValueError, match="for numbers"):
        make("WalkerWalk-Surface-v0", randomize="range")


def test_all_options_of_numbers_hold(foreign: ModuleType):
    env = make("QuadrupedWalk-SideWind-v0", scheduler="drift_pos", value=1.0)
    values = [
        env.reset(seed=0)[1]["perturbation"]["value"],
        *(env.reset()[1]["perturbation"]["value"] for _ in range(5)),
    ]
    assert values[0] == 1.0 and values == sorted(values) and values[-1] > 1.0
    with pytest.raises(ValueError, match=r"side_wind must lie in \[0, 5\] m/s\^2"):
        make("QuadrupedWalk-SideWind-v0", value=6.0)


def test_a_written_spec_makes_the_environment_in_a_process_that_has_imported_neither_package(
    foreign: ModuleType, tmp_path: Path
):
    env = gym.make("QuadrupedWalk-SideWind-v0", value=2.0)
    assert env.spec is not None
    assert EnvSpec.from_json(env.spec.to_json()) == env.spec
    (tmp_path / "spec.json").write_text(env.spec.to_json())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import gymnasium, pathlib\n"
        "from gymnasium.envs.registration import EnvSpec\n"
        "env = gymnasium.make(EnvSpec.from_json(pathlib.Path(sys.argv[2]).read_text()))\n"
        "print(env.reset(seed=0)[1]['perturbation'])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(FOLDER), str(tmp_path / "spec.json")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == str({"name": "side_wind", "value": 2.0, "unit": "m/s^2"})


def test_processes_of_a_vector_import_the_other_package(foreign: ModuleType):
    ids = ["side_wind:WalkerWalk-Surface-v0", "WalkerWalk-v0"]
    envs = gym.vector.AsyncVectorEnv(
        [lambda name=name: gym.make(name, disable_env_checker=True) for name in (ids[0], f"melro_gym:{ids[1]}")],
        context="spawn",
    )
    try:
        _, info = envs.reset(seed=0)
        *_, later = envs.step(np.zeros((2, 6), np.float32))
    finally:
        envs.close()
    assert info["perturbation"]["name"].tolist() == later["perturbation"]["name"].tolist() == ["surface", "nominal"]


def test_a_module_may_register_anew_what_it_registered(foreign: ModuleType):
    stronger = dataclasses.replace(foreign.SideWind(domain="quadruped"), high=50.0)
    with pytest.raises(ValueError, match=r"\[0, 5\]"):
        make("QuadrupedWalk-SideWind-v0", value=40.0)
    melro_gym.register_perturbation(stronger, module="side_wind")
    assert make("QuadrupedWalk-SideWind-v0", value=40.0).perturbation["value"] == 40.0
    melro_gym.register_perturbation(foreign.SideWind(domain="quadruped"), module="side_wind")


def test_registering_the_same_again_changes_nothing(foreign: ModuleType):
    before = dict(gym.registry)
    assert melro_gym.register_perturbation(foreign.Surface(), module="side_wind") == foreign.IDS[-3:]
    assert gym.registry == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"domain": "wolker"}, "Did you mean 'walker'"),
        ({"name": "Side Wind"}, "snake case"),
        ({"name": "thigh_length"}, "'thigh_length' already; choose another `name`"),
        ({"name": "gust", "suffix": "side-wind"}, "camel case"),
        ({"name": "gust", "suffix": "DisabledKnee"}, "'DisabledKnee' already"),
        ({"name": "gust", "suffix": "Gust", "source": ""}, "where it comes from"),
        ({"name": "gust", "suffix": "Gust", "nominal": 9.0}, "`nominal` between them"),
        ({"name": "gust", "suffix": "Gust", "grid": (9.0,)}, r"gust must lie in \[0, 5\]"),
        ({"name": "gust", "suffix": "Gust", "grid": ()}, "at least one value"),
        ({"name": "gust", "suffix": "Gust", "std": 0.0}, "above 0"),
        ({"name": "gust", "suffix": "Gust", "grid": [0.0]}, "hashed|Type-check error"),
    ],
)
def test_a_malformed_perturbation_is_refused_and_leaves_no_trace(
    foreign: ModuleType, changed: dict[str, Any], message: str
):
    before = dict(gym.registry), {domain: dict(named) for domain, named in tables._ROWS.items()}
    with pytest.raises((ValueError, TypeError), match=message):
        melro_gym.register_perturbation(dataclasses.replace(foreign.SideWind(domain="walker"), **changed))
    assert (dict(gym.registry), tables._ROWS) == before


def test_the_example_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = Path(__file__).parents[2] / "docs" / "environments" / "your_own.md"
    if not page.exists():
        pytest.skip("the documentation is not part of an installed package")
    text = page.read_text(encoding="utf-8").replace("side_wind", "page_wind").replace("SideWind", "PageWind")
    module, use = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "page_wind.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    found: dict[str, Any] = {}
    with restored_tables():
        exec(use, found)
        assert found["env"].reset(seed=0)[1]["perturbation"] == {"name": "page_wind", "value": 2.0, "unit": "m/s^2"}
    del sys.modules["page_wind"]


def test_a_row_of_the_packages_own_kind_needs_the_name_of_its_module(foreign: ModuleType):
    shove = Push(domain="hopper", name="shove", suffix="Shove", planar=True, high=50.0, std=5.0, grid=(0.0, 25.0))
    with pytest.raises(ValueError, match="needs `module=__name__`"):
        melro_gym.register_perturbation(shove)
    ids = melro_gym.register_perturbation(shove, module="__main__")
    assert ids == ["HopperStand-Shove-v0", "HopperHop-Shove-v0"]
    assert gym.spec(ids[0]).kwargs == {"task": "hopper-stand", "perturbation": "shove"}
    assert make(ids[1], value=25.0).reset(seed=0)[1]["perturbation"]["value"] == 25.0


def test_what_is_no_perturbation_is_refused():
    wrong: Any = "wind"
    with pytest.raises(TypeError, match="AbstractPerturbation|Type-check error"):
        melro_gym.register_perturbation(wrong)


def test_a_name_of_a_module_that_does_not_exist_says_so():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        gym.make("WalkerWalk-v0", perturbation="no_such_package:wind")
