"""What Bok et al. 2025 report of their experiments, in our words, and the rule that decides each."""

from __future__ import annotations

from melro_gym.report.cells import JOINTS, Cell
from melro_gym.report.melro_rules import (
    BASE_POLICY,
    PLANNING,
    WITH,
    WITHOUT,
    base,
    converges_later,
    entropy_is_second,
    entropy_matters,
    entropy_when_severe,
    fails_behind_blocks,
    gains_more,
    in_blocked_maze,
    in_open_maze,
    joints,
    linear_cost,
    maze_melro,
    melro,
    model_errors,
    numbers,
    on_other_arm,
    perturbed,
    plain_base,
    plain_rollout,
    randomised,
    slower_by,
    ten_hertz,
    with_weight,
    without_weight,
)
from melro_gym.report.verdicts import Claim, above, above_everywhere, every

_FRONT = tuple(f"front {side} {joint}" for side in ("left", "right") for joint in ("yaw", "lift", "extend"))
_HARD = (("CheetahRun", "back hip"), ("QuadrupedWalk", "shin length 1"), ("WalkerWalk", "torso length 0.5"))
_PRECISE = (("CheetahRun", "back knee"), ("CheetahRun", "front ankle"))
_LEAST = "The lower end of the 95 % interval of the difference is above zero."
_EACH = "Every environment's mean difference is above zero, and so is the lower end of the interval over all."


def _front_legs(cell: Cell) -> bool:
    return cell.robot == "QuadrupedWalk" and cell.kind == JOINTS and cell.name in _FRONT


CLAIMS = (
    Claim(
        "gain",
        "Fig. 6, 7, 23-25",
        "On perturbed robots MELRO returns more than its own base policy.",
        above(base, melro, perturbed),
        _LEAST,
    ),
    Claim(
        "everywhere",
        "4.2",
        "It does so under every perturbation.",
        above_everywhere(base, melro, perturbed),
        _EACH,
    ),
    Claim(
        "hard",
        "4.2, Fig. 7",
        "It does so most visibly where the base policy breaks down: cheetah's back hip, quadruped's shin at 1.0, "
        "walker's torso at 0.5.",
        above_everywhere(base, melro, lambda cell: (cell.robot, cell.name) in _HARD),
        _EACH,
    ),
    Claim(
        "entropy",
        "Fig. 6, 7",
        "A base policy trained with entropy returns more on perturbed robots than one trained without.",
        above(plain_base, base, perturbed),
        _LEAST,
    ),
    Claim(
        "rollout",
        "Fig. 6, 9",
        "Planning helps agents without entropy, too: rollout returns more than its own base policy.",
        above(plain_base, plain_rollout, perturbed),
        _LEAST,
    ),
    Claim(
        "gains-more",
        "Fig. 9",
        "Planning gains more over an agent trained with entropy than over one trained without.",
        gains_more,
        "The two intervals of the gains, on the same environments, are apart.",
    ),
    Claim(
        "best",
        "Fig. 6",
        "Of the four (base policies with and without entropy, planning over each), MELRO has the highest mean.",
        every(*(above(other, melro, perturbed) for other in (base, plain_base, plain_rollout))),
        "The lower ends of all three intervals are above zero.",
    ),
    Claim(
        "randomised-joints",
        "Fig. 6, 11",
        "With disabled joints MELRO returns more than a policy that was trained by randomising these joints.",
        above(randomised, melro, joints),
        _LEAST,
    ),
    Claim(
        "randomised-numbers",
        "Fig. 6, 11",
        "With changed lengths and damping it is the other way round: domain randomisation returns more.",
        above(melro, randomised, numbers),
        _LEAST,
    ),
    Claim(
        "front-legs",
        "Fig. 11",
        "With disabled joints of the quadruped's front legs MELRO is clearly above domain randomisation.",
        above(randomised, melro, _front_legs),
        _LEAST,
    ),
    Claim(
        "precise",
        "4.2",
        "Entropy has a price where precision counts: with cheetah's back knee or front ankle disabled, MELRO is "
        "somewhat below a base policy without entropy.",
        above_everywhere(melro, plain_base, lambda cell: (cell.robot, cell.name) in _PRECISE),
        _EACH,
    ),
    Claim(
        "model",
        "Fig. 8",
        "A world model trained with entropy predicts perturbed robots with a smaller error.",
        model_errors,
        "The mean error is smaller on the same environments.",
    ),
    Claim(
        "curves",
        "Fig. 10, 29",
        "Training by domain randomisation needs more environment steps until it has converged.",
        converges_later,
        "Mean steps to 90 % of the best evaluation are more.",
    ),
    Claim(
        "maze-plain",
        "4.1, Fig. 2",
        "In the maze a policy trained without entropy fails as soon as blocks stand in its way.",
        fails_behind_blocks,
        "It keeps less than a quarter of its return in the open maze.",
    ),
    Claim(
        "maze-blocks",
        "4.1, Fig. 2",
        "Behind the blocks MELRO returns more than base policies with and without entropy.",
        every(above(plain_base, maze_melro, in_blocked_maze), above(base, maze_melro, in_blocked_maze)),
        "The lower ends of both intervals are above zero; of several planner settings, the best one counts.",
    ),
    Claim(
        "maze-open",
        "4.1, Fig. 2",
        "In the open maze MELRO gives up hardly anything against the policy without entropy.",
        above(plain_base, maze_melro, in_open_maze, factor=0.95),
        "The lower end of the interval is above minus 5 % of that policy's return; the best planner settings count.",
    ),
    Claim(
        "maze-price",
        "4.1, Fig. 2",
        "Training with much entropy costs return in the open maze.",
        above(base, plain_base, in_open_maze),
        _LEAST,
    ),
    Claim(
        "maze-randomised",
        "4.1, Fig. 2",
        "Behind the blocks a policy that was trained with blocks in random places returns the most.",
        above(maze_melro, randomised, in_blocked_maze),
        _LEAST,
    ),
    Claim(
        "arm",
        "4.3, Fig. 13, 14",
        "Moved to another arm than the simulated one, MELRO does better than its base policy. (Their arm is a real "
        "one; here a stand-in with the same kinds of differences.)",
        above(base, melro, on_other_arm),
        _LEAST,
    ),
    Claim(
        "arm-entropy",
        "4.3, Fig. 13",
        "There, entropy while planning adds to what planning alone gains.",
        above(without_weight, with_weight, on_other_arm),
        _LEAST,
    ),
    Claim(
        "ten-times",
        "Table 3",
        "The base policy decides about ten times faster than MELRO.",
        slower_by(BASE_POLICY, PLANNING, 5.0, 20.0),
        "The ratio of the mean decision times is between 5 and 20.",
    ),
    Claim(
        "free-entropy",
        "Table 3",
        "Entropy while planning costs next to no time.",
        slower_by(WITHOUT, WITH, 0.0, 1.05),
        "The ratio of the mean decision times is at most 1.05.",
    ),
    Claim(
        "ten-hertz",
        "App. C",
        "MELRO keeps up with 10 Hz on the arm.",
        ten_hertz,
        "No episode's mean decision takes longer than 100 ms.",
    ),
    Claim(
        "linear",
        "Fig. 15",
        "The time of a plan grows linearly with planned steps, optimisation steps and base policy steps.",
        linear_cost,
        "R² of each line is above 0.95.",
    ),
    Claim(
        "second",
        "Fig. 16",
        "The entropy weight is the second most important of the planner's settings.",
        entropy_is_second,
        "By mean decrease of impurity it is among the first two.",
    ),
    Claim(
        "moderate",
        "Fig. 17",
        "A moderate entropy weight plans best: more than none, less than much.",
        entropy_matters,
        "The median weight of the best 5 % of a search's trials is inside the range that was tried.",
    ),
    Claim(
        "severe",
        "Fig. 18",
        "The more severe a perturbation, the larger the entropy weight that plans best.",
        entropy_when_severe,
        "The median weight of the best 5 % is larger where their returns stay below 800 than where they exceed it.",
    ),
)
