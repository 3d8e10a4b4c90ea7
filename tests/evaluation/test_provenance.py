"""What a record says of an agent's training."""

from __future__ import annotations

import hashlib

import pytest

from melro_gym.checkpoint import load_agent, shipped_agents
from melro_gym.evaluation.provenance import file_sha256, met_in_training, nominal_value, training_facts


def test_a_hardened_agent_names_both_stages_and_what_it_met():
    facts = training_facts(load_agent("walker-walk-hardened").metadata)
    former = load_agent("walker-walk").metadata
    assert facts["training_env_steps"] == 160_000
    assert facts["first_training_env_steps"] == former["result"]["env_steps"]
    assert facts["met"] == ["imagined actuators"]


@pytest.mark.parametrize(
    ("metadata", "met"),
    [
        ({"env": "WalkerWalk-v0", "training": {}}, []),
        ({}, []),
        ({"env": "WalkerWalk-DisabledJoint-v0", "training": {}}, ["DisabledJoint"]),
        ({"env": "WalkerWalk-ThighLength-v0", "env_kwargs": {"value": 0.225}}, []),
        ({"env": "WalkerWalk-ThighLength-v0", "env_kwargs": {"value": 0.3}}, ["ThighLength=0.3"]),
        (
            {"env": "WalkerWalk-ThighLength-v0", "env_kwargs": {"value": 0.225}, "training": {"members": [0.2, 0.3]}},
            ["ThighLength"],
        ),
        ({"env": "WalkerWalk-v0", "training": {"imagine": "actuators"}}, ["imagined actuators"]),
    ],
)
def test_what_an_agent_met(metadata, met):
    assert met_in_training(metadata) == met


def test_nominal_values_are_those_of_the_tables():
    assert nominal_value("WalkerWalk-ThighLength-v0") == 0.225
    assert nominal_value("melro/FrankaReach-Payload-v0") == 0.0
    assert nominal_value("WalkerWalk-DisabledKnee-v0") is None
    assert nominal_value("Pendulum-v1") is None


def test_files_are_known_by_their_contents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("policy = 1\n")
    assert file_sha256("own.py:policy") == hashlib.sha256(b"policy = 1\n").hexdigest()
    assert file_sha256("walker-walk") == hashlib.sha256(shipped_agents()["walker-walk"].read_bytes()).hexdigest()
    assert file_sha256("installed.module:policy") == ""
