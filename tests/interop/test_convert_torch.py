"""Copies of TorchRL's and Tianshou's actors and of ONNX models decide as the libraries do."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import jax
import numpy as np
import pytest

from melro_gym import interop
from melro_gym.interop import InteropError
from melro_gym.interop.load import load_policy

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries

convert: Any = interop.convert

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (5,), np.float32)
ACTIONS = gym.spaces.Box(np.array([-1.0, -3.0], np.float32), np.array([1.0, 0.5], np.float32))
MIDDLE, HALF = (ACTIONS.high + ACTIONS.low) / 2.0, (ACTIONS.high - ACTIONS.low) / 2.0
OBS = (1.5 * np.random.default_rng(0).standard_normal((50, 5))).astype(np.float32)


def imported(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def check(foreign, expected):
    expected = np.clip(expected, ACTIONS.low, ACTIONS.high)
    assert foreign.exact, foreign.reason
    np.testing.assert_allclose(foreign.predict(OBS), expected, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(foreign.policy)(OBS).mean, (expected - MIDDLE) / HALF, atol=1e-5)


def box():
    return torch.as_tensor(ACTIONS.low), torch.as_tensor(ACTIONS.high)


@pytest.mark.parametrize("mapping", ["biased_softplus_1.0", "exp", "softplus"])
def test_a_probabilistic_actor_of_torchrl(mapping):
    modules, nn = imported("torchrl.modules"), imported("tensordict.nn")
    torch.manual_seed(0)
    mlp = modules.MLP(in_features=5, out_features=4, num_cells=[8, 8])
    net = torch.nn.Sequential(mlp, nn.NormalParamExtractor(scale_mapping=mapping))
    low, high = box()
    actor = modules.ProbabilisticActor(
        nn.TensorDictModule(net, in_keys=["observation"], out_keys=["loc", "scale"]),
        in_keys=["loc", "scale"],
        distribution_class=modules.TanhNormal,
        distribution_kwargs={"low": low, "high": high},
    )
    with torch.no_grad():
        loc, scale = (part.numpy() for part in net(torch.as_tensor(OBS)))
    foreign = convert(actor, OBSERVATIONS, ACTIONS)
    check(foreign, np.tanh(loc) * HALF + MIDDLE)
    before_squash = jax.vmap(lambda obs: foreign.policy.spread(foreign.policy.trunk(obs)))(OBS)
    np.testing.assert_allclose(before_squash, scale, rtol=1e-5)


def test_a_deterministic_actor_of_torchrl():
    modules, nn = imported("torchrl.modules"), imported("tensordict.nn")
    torch.manual_seed(0)
    net = modules.MLP(in_features=5, out_features=2, num_cells=[8], activation_class=torch.nn.ReLU)
    low, high = box()
    squash = modules.TanhModule(in_keys=["action"], low=low, high=high)
    module = nn.TensorDictModule(net, in_keys=["observation"], out_keys=["action"])
    with torch.no_grad():
        raw = net(torch.as_tensor(OBS)).numpy()
    check(convert(nn.TensorDictSequential(module, squash), OBSERVATIONS, ACTIONS), np.tanh(raw) * HALF + MIDDLE)
    check(convert(module, OBSERVATIONS, ACTIONS), raw)
    check(convert(net, OBSERVATIONS, ACTIONS), raw)
    two = nn.TensorDictModule(lambda a, b: a, in_keys=["observation", "hidden"], out_keys=["action"])
    with pytest.raises(InteropError, match="must read one observation and "):
        convert(two, OBSERVATIONS, ACTIONS)


@pytest.mark.parametrize("keys", [["observation"], ["observation", "action"]])
def test_value_functions_of_torchrl(keys):
    modules, nn = imported("torchrl.modules"), imported("tensordict.nn")
    torch.manual_seed(0)
    net = modules.MLP(in_features=5, out_features=2, num_cells=[8])
    actor = nn.TensorDictModule(net, in_keys=["observation"], out_keys=["action"])
    mlp = modules.MLP(in_features=5 + 2 * (len(keys) - 1), out_features=1, num_cells=[8, 8])
    both = modules.ActorCriticWrapper(actor, modules.ValueOperator(mlp, in_keys=keys))
    foreign = convert(both, OBSERVATIONS, ACTIONS, discount=0.9)
    actions = np.random.default_rng(4).uniform(-1.0, 1.0, (len(OBS), 2)).astype(np.float32)
    inputs = [torch.as_tensor(OBS), torch.as_tensor(actions * HALF + MIDDLE)][: len(keys)]
    with torch.no_grad():
        check(foreign, net(torch.as_tensor(OBS)).numpy())
        expected = mlp(*inputs).numpy()[:, 0]
    np.testing.assert_allclose(jax.vmap(foreign.critic)(OBS, actions), expected, rtol=1e-4, atol=1e-5)
    assert foreign.discount == 0.9 and convert(actor, OBSERVATIONS, ACTIONS).critic is None


@pytest.mark.parametrize("scaled", [True, False])
def test_policies_of_tianshou(scaled):
    common, continuous = imported("tianshou.utils.net.common"), imported("tianshou.utils.net.continuous")
    modelfree = "tianshou.algorithm.modelfree"
    torch.manual_seed(0)
    net = lambda: common.Net(state_shape=(5,), hidden_sizes=[8, 8])
    spaces = {"action_space": ACTIONS, "observation_space": OBSERVATIONS, "action_scaling": scaled}
    gaussian = lambda **more: continuous.ContinuousActorProbabilistic(
        preprocess_net=net(), action_shape=(2,), unbounded=True, **more
    )
    sac = imported(f"{modelfree}.sac").SACPolicy(actor=gaussian(conditioned_sigma=True), **spaces)
    check(convert(sac, OBSERVATIONS, ACTIONS), library_actions(sac))
    ppo = imported(f"{modelfree}.reinforce").ProbabilisticActorPolicy(
        actor=gaussian(), dist_fn=lambda parts: torch.distributions.Normal(*parts), deterministic_eval=True, **spaces
    )
    check(convert(ppo, OBSERVATIONS, ACTIONS), library_actions(ppo))
    actor = continuous.ContinuousActorDeterministic(preprocess_net=net(), action_shape=(2,), max_action=0.7)
    ddpg = imported(f"{modelfree}.ddpg").ContinuousDeterministicPolicy(actor=actor, **spaces)
    foreign = convert(ddpg, OBSERVATIONS, ACTIONS)
    check(foreign, library_actions(ddpg))
    assert foreign.source == "tianshou ContinuousDeterministicPolicy"


@pytest.mark.parametrize("scaled", [True, False])
def test_value_functions_of_tianshou(scaled):
    common, continuous = imported("tianshou.utils.net.common"), imported("tianshou.utils.net.continuous")
    modelfree, adam = "tianshou.algorithm.modelfree", imported("tianshou.algorithm.optim").AdamOptimizerFactory
    torch.manual_seed(1)
    net = lambda **more: common.Net(state_shape=(5,), hidden_sizes=[8, 8], **more)
    spaces = {"action_space": ACTIONS, "observation_space": OBSERVATIONS, "action_scaling": scaled}
    gaussian = lambda **more: continuous.ContinuousActorProbabilistic(
        preprocess_net=net(), action_shape=(2,), unbounded=True, **more
    )
    of_both = lambda: continuous.ContinuousCritic(preprocess_net=net(action_shape=(2,), concat=True))
    sac = imported(f"{modelfree}.sac").SAC(
        policy=imported(f"{modelfree}.sac").SACPolicy(actor=gaussian(conditioned_sigma=True), **spaces),
        policy_optim=adam(), critic=of_both(), critic_optim=adam(), critic2=of_both(), gamma=0.93,
    )  # fmt: skip
    foreign = convert(sac, OBSERVATIONS, ACTIONS)
    actions = np.random.default_rng(4).uniform(-1.0, 1.0, (len(OBS), 2)).astype(np.float32)
    shown = actions if scaled else actions * HALF + MIDDLE
    with torch.no_grad():
        both = [critic(OBS, shown).numpy()[:, 0] for critic in (sac.critic, sac.critic2)]
    np.testing.assert_allclose(jax.vmap(foreign.critic)(OBS, actions), np.minimum(*both), rtol=1e-4, atol=1e-5)
    assert foreign.discount == 0.93 and convert(sac.policy, OBSERVATIONS, ACTIONS).critic is None
    ppo = imported(f"{modelfree}.ppo").PPO(
        policy=imported(f"{modelfree}.reinforce").ProbabilisticActorPolicy(
            actor=gaussian(), dist_fn=lambda parts: torch.distributions.Normal(*parts), **spaces
        ),
        critic=continuous.ContinuousCritic(preprocess_net=net()), optim=adam(), return_scaling=True,
    )  # fmt: skip
    ppo.ret_rms.var = 6.25
    with torch.no_grad():
        values = 2.5 * ppo.critic(OBS).numpy()[:, 0]
    np.testing.assert_allclose(
        jax.vmap(convert(ppo, OBSERVATIONS, ACTIONS).critic)(OBS, actions), values, rtol=1e-4, atol=1e-5
    )


def library_actions(policy):
    return np.stack([policy.eval().compute_action(obs, info={}) for obs in OBS])


@pytest.mark.parametrize("form", ["file", "word", "model", "session"])
def test_onnx(form, tmp_path):
    onnx, runtime = imported("onnx"), imported("onnxruntime")
    rng = np.random.default_rng(3)
    arrays = {
        "w1": rng.standard_normal((8, 5)), "b1": rng.standard_normal(8), "w2": rng.standard_normal((8, 2)),
        "b2": rng.standard_normal(2),
    }  # fmt: skip
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    make, real = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        make.make_node("Gemm", ["obs", "w1", "b1"], ["a"], transB=1),
        make.make_node("Relu", ["a"], ["b"]),
        make.make_node("MatMul", ["b", "w2"], ["c"]),
        make.make_node("Add", ["c", "b2"], ["d"]),
        make.make_node("Tanh", ["d"], ["action"]),
    ]
    ends = [make.make_tensor_value_info("obs", real, ["R", 5]), make.make_tensor_value_info("action", real, ["R", 2])]
    weights = [onnx.numpy_helper.from_array(value, name) for name, value in arrays.items()]
    graph = make.make_graph(nodes, "actor", ends[:1], ends[1:], weights)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "actor.onnx"
    onnx.save(model, path)
    expected = np.tanh(np.maximum(OBS @ arrays["w1"].T + arrays["b1"], 0.0) @ arrays["w2"] + arrays["b2"])
    given = {"file": path, "word": load_policy(path), "model": model, "session": runtime.InferenceSession(path)}[form]
    foreign = convert(given, OBSERVATIONS, ACTIONS)
    assert foreign.exact is (form != "session")
    if foreign.exact:
        check(foreign, expected)
    np.testing.assert_allclose(foreign.predict(OBS), np.clip(expected, ACTIONS.low, ACTIONS.high), atol=1e-5)


def test_an_onnx_file_that_is_missing():
    imported("onnxruntime")
    with pytest.raises(InteropError, match=r"There is no file absent\.onnx"):
        load_policy("absent.onnx")
    with pytest.raises(InteropError, match=r"There is no file absent\.onnx"):
        convert("absent.onnx", OBSERVATIONS, ACTIONS)


def test_an_onnx_file_that_is_damaged(tmp_path):
    imported("onnxruntime")
    path = tmp_path / "actor.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(InteropError, match=r"actor\.onnx is no ONNX model that onnxruntime can run, or is damaged"):
        load_policy(path)
