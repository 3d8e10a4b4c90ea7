"""LeRobot's EnvHub form: a repository on the Hub with this file as `env.py` hands our ids to LeRobot.

    envs = lerobot.envs.make_env("your-name/your-repo", n_envs=2, trust_remote_code=True)

Its `requirements.txt` names melro-gym. Needs Python 3.12 or 3.13: pip install "melro-gym[lerobot]"
Run: python examples/10_lerobot_envhub.py; where LeRobot is installed, its own rollout plays MELRO.
"""

# pyright: reportMissingImports=false

import functools
import importlib.util
from typing import Any

import gymnasium as gym

import melro_gym

TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "Reach for the point.": ("FrankaReach-v0", {}),
    "Reach for the point with an arm unlike the simulated one.": ("FrankaReach-SimToRealGap-v0", {"value": 1.0}),
    "Reach for the point with 2 kg in the hand.": ("FrankaReach-Payload-v0", {"value": 2.0}),
}


class Named(gym.ObservationWrapper[Any, Any, Any]):
    """What LeRobot's evaluation asks for: its names of observations, words for the task, length and success."""

    def __init__(self, env: Any, task: str):
        super().__init__(env)
        whole = env.observation_space
        joints, goal = gym.spaces.Box(whole.low[:14], whole.high[:14]), gym.spaces.Box(whole.low[14:], whole.high[14:])
        self.observation_space = gym.spaces.Dict({"agent_pos": joints, "environment_state": goal})
        self.task = self.task_description = task
        self._max_episode_steps = env.get_wrapper_attr("control_steps")

    def observation(self, observation: Any) -> dict[str, Any]:
        return {"agent_pos": observation[:14], "environment_state": observation[14:]}

    def step(self, action: Any) -> tuple[Any, ...]:
        *rest, info = super().step(action)
        return *rest, {**info, "is_success": info["position_error"] <= 0.05}  # metres


def make_env(n_envs: int = 1, use_async_envs: bool = False) -> dict[str, dict[int, gym.vector.VectorEnv]]:
    """One suite of all tasks, each with `n_envs` side by side, on request in processes of their own."""
    mode, processes = ("async", {"context": "spawn"}) if use_async_envs else ("sync", {})
    settings = {"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP, **processes}
    forms: dict[str, Any] = {"num_envs": n_envs, "vectorization_mode": mode, "vector_kwargs": settings}
    tasks: dict[int, gym.vector.VectorEnv] = {}
    for words, (env_id, kwargs) in TASKS.items():
        named = [functools.partial(Named, task=words)]
        tasks[len(tasks)] = gym.make_vec(f"melro_gym:{env_id}", wrappers=named, **forms, **kwargs)
    return {"melro_franka": tasks}


def play(envs: gym.vector.VectorEnv) -> dict[str, Any]:
    """An episode in each by LeRobot's rollout, with the shipped agent and its planner as policy."""
    import torch
    from lerobot.scripts.lerobot_eval import rollout

    class Planner(torch.nn.Module):
        def reset(self) -> None:
            self.controller, self.memory = melro_gym.MELROController(gym.make("FrankaReach-v0"), "franka-reach"), None

        def select_action(self, batch: dict[str, Any]) -> torch.Tensor:
            state = torch.cat([batch["observation.state"], batch["observation.environment_state"]], dim=-1)
            action, self.memory = self.controller.predict(state.numpy(force=True), self.memory)
            return torch.as_tensor(action)

    return rollout(envs, Planner(), *[lambda batch: batch] * 4, seeds=list(range(envs.num_envs)))  # no processors


if __name__ == "__main__":
    for task, envs in make_env(n_envs=2)["melro_franka"].items():
        print(f"task {task}: {[*TASKS][task]} {[*envs.reset(seed=0)[0]]}")
        if importlib.util.find_spec("lerobot") is not None:
            found = play(envs)
            print(f"  returns {found['reward'].sum(1).tolist()}, success {found['success'].any(1).tolist()}")
