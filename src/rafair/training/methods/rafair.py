"""Retraining on the instances that RAFair finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional

from rafair.attacks import RAFair
from rafair.models import wrap
from rafair.training.loop import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rafair.training.task import Batch, Task

__all__ = ["RAFairRetraining"]

# People attacked before each epoch, the steps, and the counterparts of each.
ATTACKED, STEPS, COMPARED = 1024, 10, 12
# The steps together, as a share of the largest distance in Δ.
TOTAL = 2.0


@dataclass(frozen=True)
class RAFairRetraining(NetworkMethod):
    """Cross-entropy at instances of RAFair, which keep the label of the person they came from.

    Before each epoch 1,024 random people are attacked on the network as it is, each in one of the
    three modes, and their instances replace the older ones.

    Source: Li et al., arXiv:2404.01356v1, Algorithm 1; retraining on what was found as in the
    authors' earlier work, RobustFair (arXiv:2305.10906).
    """

    strength: float = 0.5

    name: ClassVar[str] = "rafair"
    compares: ClassVar[bool] = True
    # A quick bound proves hardly anybody.
    proof_time: ClassVar[float] = 0.04

    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the cross-entropy at the instances."""
        return functional.cross_entropy(network(batch.instances), batch.y, reduction="none")

    def renewed(
        self, network: nn.Sequential, task: Task, instances: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Attack some people in each mode; their instances replace the older ones."""
        assert task.counterparts is not None  # noqa: S101 - the loop refuses such methods before
        everyone = task.counterparts
        few = torch.randperm(len(everyone), generator=generator)[:COMPARED]
        people = replace(everyone, grid=everyone.grid[few])
        rows = torch.randperm(len(task), generator=generator)[:ATTACKED]
        model, found = wrap(network, output="logits"), instances.clone()
        reach = task.space.reach(task.x).max().item()
        for part, variant in zip(rows.tensor_split(3), RAFair.variants.values(), strict=True):
            if len(part):
                attack = RAFair(steps=STEPS, step_size=TOTAL * reach / STEPS, **variant)
                problem = (model, task.x[part], task.y[part], people, task.space)
                found[part] = attack.run(*problem).x_adv
        return found
