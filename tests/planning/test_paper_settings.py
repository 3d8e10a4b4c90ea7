"""Every number of the paper's Table 2 is a setting."""

from __future__ import annotations

import itertools

import pytest

from melro_gym.planning import PlanConfig
from melro_gym.planning.paper import TABLE_2, paper_settings
from melro_gym.settings import flatten

ROWS = {  # paper's name: ours
    "entropy_weight": "entropy_weight",
    "n_base_policy_steps": "policy_steps",
    "ars_n_perturbations": "directions",
    "ars_std": "perturbation_std",
    "ars_top_k": "top_directions",
    "discount": "discount",
    "n_optimize_steps": "optimise_steps",
    "n_parallel_rollouts": "rollouts",
    "n_planning_steps": "planned_steps",
    "optimizer": "optimiser",
    "step_size": "step_size",
}
SEARCHED = 10 + 6 + 4 + 6 + 3 + 4 + 8 + 1 + 7 + 1 + 10
"""Values printed in the paper's table, row by row."""


def test_table_2_is_complete():
    assert {name: ours for name, (ours, _) in TABLE_2.items()} == ROWS
    assert sum(len(values) for _, values in TABLE_2.values()) == SEARCHED


@pytest.mark.parametrize("name", TABLE_2)
def test_every_value_of_table_2_is_accepted_and_changes_its_setting_alone(name):
    ours, values = TABLE_2[name]
    plain = PlanConfig(**paper_settings())
    for value in values:
        config = PlanConfig(**paper_settings(**{name: value}))
        assert flatten(config) == flatten(plain) | {ours: "ars" if name == "optimizer" else value}


def test_all_of_table_2s_directions_go_with_all_of_its_kept_directions():
    for count, kept in itertools.product(TABLE_2["ars_n_perturbations"][1], TABLE_2["ars_top_k"][1]):
        assert PlanConfig(**paper_settings(ars_n_perturbations=count, ars_top_k=kept)).directions == count


def test_the_papers_planner_has_none_of_what_this_package_adds():
    config = PlanConfig(**paper_settings())
    assert (config.rollouts, config.guard, config.deterministic, config.pessimism) == (1, False, False, "none")
    assert float(config.kl_weight) == 0.0


def test_names_and_optimisers_that_table_2_lacks_are_refused():
    with pytest.raises(ValueError, match="no 'n_planing_steps'. Did you mean 'n_planning_steps'"):
        paper_settings(n_planing_steps=3)
    with pytest.raises(ValueError, match="no 'guard'. It has: entropy_weight, n_base"):
        paper_settings(guard=True)
    with pytest.raises(ValueError, match="'Adam'; got 'SGD'"):
        paper_settings(optimizer="SGD")
