from __future__ import annotations

import json

import jax
import numpy as np
import pytest
import safetensors.numpy
from toys import tiny_agent

from melro_gym import CheckpointError, load_agent, save_agent


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
