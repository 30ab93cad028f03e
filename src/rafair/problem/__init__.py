"""The pieces of the problem: I(v), Δ, losses and their gradients, in batches."""

from rafair.problem.batching import AUTO, BatchSize, forward_rows
from rafair.problem.counterparts import SAME, Counterparts
from rafair.problem.gradients import GradientRows, counterpart_gradient_norms, gradient_rows
from rafair.problem.losses import Loss, loss_names, make_loss
from rafair.problem.noise import Noise
from rafair.problem.space import PerturbationSpace
from rafair.problem.trajectories import AttackResult, PairTrajectory, Trajectory
from rafair.problem.validation import check_problem, check_rows
from rafair.problem.walking import CounterpartRule, walk

__all__ = [
    "AUTO",
    "SAME",
    "AttackResult",
    "BatchSize",
    "CounterpartRule",
    "Counterparts",
    "GradientRows",
    "Loss",
    "Noise",
    "PairTrajectory",
    "PerturbationSpace",
    "Trajectory",
    "check_problem",
    "check_rows",
    "counterpart_gradient_norms",
    "forward_rows",
    "gradient_rows",
    "loss_names",
    "make_loss",
    "walk",
]
