"""The list of environments and the papers' suites."""

from __future__ import annotations

import json

import gymnasium as gym
import pytest

from melro_gym import suites
from melro_gym.envs.listing import format_environments, list_environments


def test_the_list_holds_every_registered_id_once():
    ids = [row.env_id for row in list_environments()]
    assert len(ids) == len(set(ids)) > 140
    assert set(ids) == {name.removeprefix("melro/") for name in gym.registry if name.startswith("melro/")}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("WalkerWalk-TorsoLength-v0", {"WalkerWalk-TorsoLength-v0"}),
        ("walker thigh_length", {f"Walker{task}-ThighLength-v0" for task in ("Walk", "Run", "Stand")}),
        ("CheetahRun-Disabled*Hip", {f"CheetahRun-Disabled{side}Hip-v0" for side in ("", "Back", "Front")}),
        ("slider_damping", {f"Cartpole{task}-SliderDamping-v0" for task in ("Balance", "Swingup")}),
        ("nothing like this", set()),
    ],
)
def test_a_filter_finds_ids_parameters_and_patterns(pattern: str, expected: set[str]):
    assert {row.env_id for row in list_environments(pattern)} == expected


def test_a_row_says_what_is_perturbed_over_which_range_in_which_unit_and_from_where():
    (row,) = list_environments("QuadrupedWalk-ShinLength-v0")
    assert (row.parameter, row.nominal, row.range) == ("shin_length", "0.25", "0.25 to 2")
    assert row.unit.startswith("m") and "realworldrl_suite" in row.source
    table = format_environments([row]).splitlines()
    assert table[0].split()[:4] == ["id", "parameter", "nominal", "range"]
    assert table[1].startswith("QuadrupedWalk-ShinLength-v0  shin_length  0.25")
    assert format_environments([row], "ids") == row.env_id
    assert json.loads(format_environments([row], "json"))[0]["env_id"] == row.env_id
    with pytest.raises(ValueError, match="table, ids, json"):
        format_environments([row], "xml")


@pytest.mark.parametrize("name", suites.suite_names())
def test_every_case_of_a_suite_names_a_registered_id_and_json_arguments(name: str):
    cases = suites.load_suite(name)
    assert cases and len({(case.env_id, json.dumps(case.kwargs)) for case in cases}) == len(cases) or "larger" in name
    for case in cases:
        assert case.env_id in gym.registry and case.label
        assert suites.nominal_case(case).env_id in gym.registry


@pytest.mark.parametrize("name", ["melro-joints", "robust-mpo-train", "robust-mpo-holdout", "rwrl-medium"])
def test_every_case_of_a_suite_can_be_made(name: str):
    for case in suites.load_suite(name):
        env = gym.make(case.env_id, **case.kwargs)
        assert env.reset(seed=0)[1]["perturbation"] is not None
        env.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in suites.suite_names() if name.startswith(("melro", "rwrl"))])
def test_every_case_of_every_suite_can_be_made(name: str):
    for case in suites.load_suite(name):
        env = gym.make(case.env_id, **case.kwargs)
        env.reset(seed=0)
        env.close()


def test_the_suites_hold_the_papers_numbers():
    assert len(suites.load_suite("melro-joints")) == 6 + 6 + 12
    assert {"value": 0.5} in [case.kwargs for case in suites.load_suite("melro-walker-torso")]
    assert {"value": 1.0} in [case.kwargs for case in suites.load_suite("melro-quadruped-shin")]
    assert [case.kwargs["value"] for case in suites.load_suite("robust-mpo-hopper-stand-holdout")] == [0.4, 0.475, 0.5]
    assert [case.kwargs["value"] for case in suites.load_suite("robust-mpo-hand-train")] == [0.025, 0.022, 0.02]
    assert len(suites.load_suite("robust-mpo-train")) == 27
    (thigh,) = [case for case in suites.load_suite("rwrl-hard") if case.env_id.startswith("Walker")]
    assert thigh.kwargs == {"randomize": "range", "bounds": [0.225, 0.55]}


def test_an_unknown_suite_names_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'melro-joints'"):
        suites.load_suite("melro-joint")
