"""The state of a training after an epoch, as bytes that cannot run code."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.training.base import Method, Options
    from rafair.training.task import Task

__all__ = ["identity_of_training", "read_checkpoint", "serialise_checkpoint"]


def identity_of_training(method: Method, task: Task, options: Options) -> dict[str, Any]:
    """Return all that a training depends on, so that another one is not taken up by mistake."""
    digest = hashlib.sha256()
    for tensor in (task.x, task.y, task.low, task.high, task.weights):
        digest.update(tensor.numpy().tobytes())
    return {
        "method": method.name,
        "strength": method.strength,
        "options": vars(options),
        "people": digest.hexdigest(),
        "rafair": version("rafair"),
        "torch": torch.__version__,
    }


def serialise_checkpoint(identity: dict[str, Any], state: dict[str, Any]) -> bytes:
    """Return the bytes of a checkpoint."""
    content = io.BytesIO()
    torch.save({"identity": json.dumps(identity, sort_keys=True), "state": state}, content)
    return content.getvalue()


def read_checkpoint(content: bytes, identity: dict[str, Any]) -> dict[str, Any]:
    """Return the state in a checkpoint.

    Raises
    ------
    InvalidInput
        If it is no checkpoint, or one of another training; the message says what differs.
    """
    try:
        found = torch.load(io.BytesIO(content), weights_only=True)
        known, state = json.loads(found["identity"]), found["state"]
    except (
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise InvalidInput("no checkpoint of rafair train; remove it to train anew") from error
    wanted = json.loads(json.dumps(identity))
    different = [name for name in wanted if known.get(name) != wanted[name]]
    if different:
        raise InvalidInput(
            f"the checkpoint is of a training with other {', '.join(different)}; remove it to "
            "train anew"
        )
    return dict(state)
