"""LeRobot's EnvHub form: a repository on the Hub with this file as `env.py` hands our ids to LeRobot.

    from lerobot.envs.factory import make_env
    envs = make_env("your-name/your-repo", n_envs=2, trust_remote_code=True)

Its `requirements.txt` names melro-gym. LeRobot itself needs Python 3.12 or later.
Run: python examples/10_lerobot_envhub.py
"""

from typing import Any

import gymnasium as gym

CASES = {"nominal": "FrankaReach-v0", "gap": "FrankaReach-SimToRealGap-v0", "payload": "FrankaReach-Payload-v0"}


def make_env(n_envs: int = 1, use_async_envs: bool = False) -> dict[str, dict[int, gym.vector.VectorEnv]]:
    """One suite, one task per perturbation.

    Args:
        n_envs: environments side by side.
        use_async_envs: each in a process of its own.
    """
    settings: dict[str, Any] = {
        "autoreset_mode": gym.vector.AutoresetMode.SAME_STEP
    }  # what LeRobot's evaluation expects
    if use_async_envs:
        settings["context"] = "spawn"
    return {
        "melro_franka": {
            task: gym.make_vec(
                f"melro_gym:{env_id}",
                num_envs=n_envs,
                vectorization_mode="async" if use_async_envs else "sync",
                vector_kwargs=settings,
            )
            for task, env_id in enumerate(CASES.values())
        }
    }


if __name__ == "__main__":
    for suite, tasks in make_env(n_envs=2).items():
        for task, envs in tasks.items():
            obs, info = envs.reset(seed=0)
            print(f"{suite} task {task}: observations {obs.shape}, perturbation {info['perturbation']['name'][0]}")
            envs.close()
