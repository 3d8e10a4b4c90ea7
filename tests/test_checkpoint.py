from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from toys import TINY, tiny_agent

from melro_gym import CheckpointError, load_agent, save_agent
from melro_gym.checkpoint import flatten_arrays, read_arrays, shipped_agents, write_arrays
from melro_gym.models.context import told


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "agent.safetensors"
    save_agent(path, tiny_agent().with_metadata({"env": "WalkerWalk-v0", "note": "ä"}))
    return path


def _rewrite(path, change):
    """The file with its arrays and metadata changed by `change(arrays, metadata)`."""
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}
        metadata = json.loads(file.metadata()["melro_gym"])
    change(arrays, metadata)
    path.write_bytes(safetensors.numpy.save(arrays, {"melro_gym": json.dumps(metadata)}))


def test_a_saved_agent_comes_back_bit_for_bit(saved):
    agent, loaded = tiny_agent(), load_agent(saved)
    assert loaded.metadata == {"env": "WalkerWalk-v0", "note": "ä"}
    assert loaded.descriptions() == agent.descriptions()
    for before, after in zip(jax.tree.leaves(agent), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(before, after)


def test_saving_leaves_no_other_file(saved):
    assert [item.name for item in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("length", [0, 5, 100, -10])
def test_truncated_files_are_refused(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="not a complete melro_gym file"):
        load_agent(saved)


def test_a_pickle_is_refused_without_running_it(tmp_path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the file's code ran",))

    path = tmp_path / "agent.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        load_agent(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, meta: meta.update(format="other"), "format 'other'"),
        (lambda arrays, meta: meta.pop("parts"), "description"),
        (lambda arrays, meta: meta["parts"]["policy"]["arguments"].update(colour="red"), "description"),
        (lambda arrays, meta: meta["parts"]["policy"]["arguments"].update(width=9), "Array"),
        (lambda arrays, meta: arrays.pop(".normaliser.mean"), "normaliser.mean"),
        (lambda arrays, meta: arrays.update({".normaliser.mean": np.full(3, np.nan, np.float32)}), "not finite"),
        (lambda arrays, meta: arrays.update({".normaliser.mean": np.zeros(3, np.float64)}), r"float32.*float64"),
        (lambda arrays, meta: arrays.update({".normaliser.mean": np.zeros(3, np.int32)}), r"float32.*int32"),
    ],
)
def test_mismatched_files_say_what_is_wrong(saved, change, message):
    _rewrite(saved, change)
    with pytest.raises(CheckpointError, match=message):
        load_agent(saved)


def test_an_unknown_name_lists_the_shipped_agents():
    with pytest.raises(CheckpointError, match="walker-walk"):
        load_agent("walker-wlak")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere.safetensors"):
        load_agent(tmp_path / "nowhere.safetensors")


def test_every_shipped_agent_of_format_1_loads_and_is_saved_as_the_same_agent(tmp_path):
    for name, file in shipped_agents().items():
        raw, loaded = read_arrays(file)[0], load_agent(name)
        save_agent(tmp_path / "again.safetensors", loaded)
        again, metadata = read_arrays(tmp_path / "again.safetensors")
        assert metadata["format"] == "melro_gym agent 2"
        assert set(again) == set(raw)
        for path, array in raw.items():
            np.testing.assert_array_equal(again[path], array)
        assert load_agent(tmp_path / "again.safetensors").descriptions() == loaded.descriptions()


def test_an_ensemble_of_format_1_loads_as_its_members(tmp_path):
    """Format 1 kept the first model apart from the others."""
    agent = tiny_agent(ensemble_size=3)
    arrays = flatten_arrays(agent)
    stacked = [path for path in arrays if ".stack." in path]
    for path in stacked:
        members = arrays.pop(path)
        arrays[path.replace(".stack", "")] = members[0]
        arrays[path.replace(".world_model.stack", ".others")] = members[1:]
    config = {"obs_size": 3, "action_size": 2, "ensemble_size": 3, **TINY}
    write_arrays(tmp_path / "old.safetensors", arrays, {"format": "melro_gym agent 1", "config": config, "record": {}})
    loaded = flatten_arrays(load_agent(tmp_path / "old.safetensors"))
    assert len(stacked) == 12
    for path, array in flatten_arrays(agent).items():
        np.testing.assert_array_equal(loaded[path], array)


def _set(*path, to):
    def change(arrays, metadata):
        *inner, last = path
        for name in inner:
            metadata = metadata[name]
        metadata[last] = to

    return change


PART = ("parts", "critic", "arguments")


@pytest.mark.parametrize(
    "change",
    [
        _set(*PART, "scale", to=float("nan")),
        _set(*PART, "scale", to=0.0),
        _set(*PART, "scale", to="1.0"),
        _set(*PART, "scale", to=True),
        _set(*PART, "scale", to=10**400),
        _set(*PART, "width", to=8.0),
        _set(*PART, "width", to=True),
        _set(*PART, "width", to=-8),
        _set(*PART, "width", to=100_000),
        _set(*PART, "width", to=10**30),
        _set(*PART, "depth", to=10**9),
        _set(*PART, "activation", to=["softsign"]),
        _set("parts", "policy", "arguments", "min_std", to=-1.0),
        _set("parts", "policy", "arguments", "max_std", to=0.01),
        _set("parts", "policy", "arguments", "max_std", to=float("inf")),
        _set("parts", "world_model", "arguments", "reward_scale", to=float("inf")),
        _set("parts", "world_model", "arguments", "gate", to=1),
        _set("parts", "world_model", "arguments", "terminates", to="false"),
        _set("parts", "policy", to={"kind": "critic", "arguments": {}}),
        _set("parts", "policy", "kind", to=["gaussian_policy"]),
        _set("parts", "policy", "kind", to="os.system"),
        _set("parts", "policy", "arguments", "unheard_of", to=1),
        _set("parts", "policy", to="gaussian_policy"),
        _set("parts", to=[]),
        _set("action_size", to=3),
        _set("action_size", to=2.0),
        _set("model_input", to="actions"),
        _set("record", to=[1, 2]),
        _set("record", "env", to=5),
        _set("record", "discount", to="0.9"),
        _set("record", "discount", to=1.5),
        _set("record", "one_step_error", to=[0.1, 0.2]),
        _set("record", "one_step_error", to=[0.1, 0.2, "x"]),
        _set("record", "action_repeat", to=0),
        _set("record", "observation_keys", to="s"),
        lambda arrays, meta: arrays.update({".normaliser.std": np.zeros(3, np.float32)}),
        lambda arrays, meta: arrays.update({".normaliser.std": np.ones(3, np.float64)}),
        lambda arrays, meta: arrays.update({".normaliser.std": np.ones(3, np.int32)}),
        lambda arrays, meta: arrays.update({".normaliser.mean": np.full(3, np.inf, np.float32)}),
        lambda arrays, meta: arrays.update({".further": np.ones(3, np.float32)}),
    ],
)
def test_odd_files_are_refused(saved, change):
    _rewrite(saved, change)
    with pytest.raises(CheckpointError, match=saved.name):
        load_agent(saved)


def _with_header(path, text: bytes):
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def test_headers_that_cost_more_than_they_hold_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    deep = json.dumps("[" * 100_000)
    for text in (
        b"[" * 100_000,
        b'{"a":1,"a":2}',
        b'{"__metadata__":{"melro_gym":%s}}' % deep.encode(),
        b"[]",
        b"null",
    ):
        _with_header(path, text)
        with pytest.raises(CheckpointError, match=path.name):
            load_agent(path)
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="header of 4611686018427387904 bytes"):
        load_agent(path)


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    path, twice = tmp_path / "a.safetensors", '{"format": 1, "format": 2}'
    for text in (json.dumps({"__metadata__": {"melro_gym": twice}}), '{"__metadata__": {}, "__metadata__": {}}'):
        _with_header(path, text.encode())
        with pytest.raises(CheckpointError, match="a name occurs twice"):
            load_agent(path)


def test_what_policy_and_critic_are_told_of_is_kept(tmp_path):
    path, agent = tmp_path / "a.safetensors", tiny_agent(imagine="limbs", context_size=4)
    save_agent(path, agent.with_parts(policy=told(agent.policy, jnp.arange(4.0))))
    loaded: Any = load_agent(path)
    assert (loaded.policy.change, loaded.critic.change) == ("limbs", "limbs")
    np.testing.assert_array_equal(loaded.policy.context, [0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(loaded.critic.context, np.zeros(4))


def test_json_nested_deeper_than_any_description_is_refused(saved):
    nested = []
    for _ in range(40):
        nested = [nested]
    _rewrite(saved, _set("record", "nested", to=nested))
    with pytest.raises(CheckpointError, match="nested more than 32 deep"):
        load_agent(saved)


@pytest.mark.parametrize("name", ["no\0name", "x" * 5000, "folder"])
def test_paths_that_no_file_can_have_are_missing_files(tmp_path, name):
    (tmp_path / "folder").mkdir()
    for given in (name, str(tmp_path / name), str(tmp_path / f"{name}.safetensors")):
        with pytest.raises(CheckpointError):
            load_agent(given)
