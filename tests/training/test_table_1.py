"""The `paper-*` presets hold the numbers of the paper's Table 1."""

from __future__ import annotations

from typing import Any

import pytest

from melro_gym.settings import flatten
from melro_gym.training import PRESETS, make_config

COLUMNS = ("paper-maze", "paper-simulation", "paper-franka")
TABLE_1 = """
critic max_iter               | critic_warmup         | 1000
critic activation             | critic_activation     | softsign | softsign | elu
critic n_hidden               | critic_width          | 256      | 512      | 1024
critic n_layers               | critic_depth          | 2
policy exploration_noise      | exploration_noise     | 0.1      | 0.0      | 0.01
policy step_size              | learning_rate         | 3e-4     | 3e-4     | 3e-4
policy max_iter               | behaviour_updates     | 60       | 100      | 60
policy n_hidden               | policy_width          | 256      | 64       | 64
policy n_layers               | policy_depth          | 2        | 2        | 3
policy discount               | discount              | 0.99     | 0.975    | 0.95
policy entropy_weight         | entropy_weight        | 3        | 0.01     | 0.0001
policy n_samples              | imagined_batch        | 64       | 128      | 64
policy n_time_steps           | imagined_steps        | 10       | 6        | 6
policy td_lambda              | td_lambda             | 0.95     | 0.95     | 0.99
policy max_grad_norm          | policy_max_grad_norm  | 100      | 10       | 100
model batch_size              | model_batch           | 256      | 32       | 32
model emission_scale          | emission_variance     | 0.2      | 0.01     | 0.01
model max_grad_norm           | model_max_grad_norm   | 100      | 100      | 100
model max_iter                | model_updates         | 10       | 40       | 100
model n_time_steps            | model_window          | 4        | 4        | 10
model step_size               | learning_rate         | 3e-4     | 3e-4     | 3e-4
model initial_iter            | initial_model_updates | 1000     | 100      | 250
model rnn_n_hidden            | inference_width       | 24       | 24       | 128
model mlp_activation          | model_activation      | softsign
model mlp_n_hidden            | model_width           | 256      | 256      | 128
model mlp_n_hidden            | reward_width          | 256      | 256      | 128
model mlp_n_layers            | model_depth           | 2        | 3        | 3
MBRL conservativity           | conservativity        | 0.05     | 0.05     | 0.05
MBRL 1 / critic_weight        | return_weight         | 20       | 1        | 4
MBRL n_steps_per_eval         | eval_every            | 10000
MBRL max_env_steps            | total_env_steps       | 500000
MBRL n_collect_steps          | collect_decisions     | 100      | 40       | 100
MBRL n_initial_time_steps     | initial_decisions     | 100      | 1000     | 1000
the models' input (Eq. 5-8)   | model_input           | distribution
q is an RNN                   | inference             | rnn
variance of Eq. 6             | transition_variance   | 0.001
no target network             | target_rate           | 1.0
the index of Eq. 11           | paper_index           | True
"""
"""Row of the paper | setting | the table's three columns, or one value for all."""


def _rows() -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in TABLE_1.strip().splitlines()]
    return {name: values * (3 // len(values)) for _, name, *values in lines}


def _read(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return {"True": True}.get(text, text)


@pytest.mark.parametrize("preset", COLUMNS)
def test_a_papers_preset_holds_its_column_of_table_1(preset):
    column = COLUMNS.index(preset)
    expected = {name: _read(values[column]) for name, values in _rows().items()}
    config = flatten(make_config(preset))
    assert {name: config[name] for name in expected} == expected


def test_the_papers_presets_set_nothing_that_the_table_lacks():
    assert {name for name in PRESETS if name.startswith("paper")} == set(COLUMNS)
    for preset in COLUMNS:
        assert PRESETS[preset].keys() <= _rows().keys()
