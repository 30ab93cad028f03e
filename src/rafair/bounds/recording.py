"""A traced torch module, and what each of its operations does with the numbers of a row."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["IDLE", "Recording"]

# Layers that change nothing in evaluation mode.
IDLE = (nn.Identity, nn.Dropout)
# Operations that only select, join or reshape.
MOVES = {
    operator.getitem, torch.cat, torch.concat, torch.concatenate, torch.stack, torch.flatten,
    torch.reshape, torch.squeeze, torch.unsqueeze, torch.split, torch.chunk, torch.unbind,
    torch.select, torch.narrow, torch.index_select, nn.Flatten, nn.Unflatten, *IDLE,
    "flatten", "reshape", "view", "squeeze", "unsqueeze", "split", "chunk", "unbind", "select",
    "narrow", "index_select", "contiguous",
}  # fmt: skip
JOINS = {torch.cat, torch.concat, torch.concatenate, torch.stack}
# Operations that write their result over their first operand, as all do whose name ends in "_".
OVERWRITES = {operator.iadd, operator.isub, operator.imul, operator.itruediv}
# Operations that are affine in their one operand that is no constant.
AFFINE = {
    operator.add, operator.iadd, torch.add, "add", "add_", operator.sub, torch.sub, "sub",
    operator.mul, operator.imul, torch.mul, "mul", operator.neg, torch.neg, "neg",
}  # fmt: skip
# … if it is the first one.
QUOTIENTS = {operator.truediv, torch.div, torch.true_divide, "div", "true_divide"}
SHAPES = {"size", "dim"}


@dataclass(frozen=True, eq=False)
class Recording:
    """A traced module, and what its operations return for rows of its columns.

    Attributes
    ----------
    module : torch.fx.GraphModule
    n_columns : int
    dtype : torch.dtype
        Type in which the model reads rows.
    device : torch.device
    """

    module: fx.GraphModule
    n_columns: int
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(
        cls, body: nn.Module, n_columns: int, dtype: torch.dtype, device: torch.device
    ) -> Recording:
        """Trace a module.

        Raises
        ------
        InvalidInput
            If its operations depend on its numbers, or it does not accept such rows.
        """
        try:
            found = cls(fx.symbolic_trace(body), n_columns, dtype, device)
            _ = found.example
        except Exception as error:
            raise InvalidInput(
                "certificates need a network whose layers do not depend on its numbers; "
                f"{type(body).__name__} cannot be traced"
            ) from error
        if not all(map(found._is_pure, found.module.graph.nodes)):
            raise InvalidInput(
                "certificates need a network that computes new numbers; "
                f"{type(body).__name__} writes over numbers that it uses elsewhere"
            )
        return found

    def _is_pure(self, node: fx.Node) -> bool:
        """Tell whether a node changes nothing that another one reads."""
        if node.op in ("placeholder", "output", "get_attr"):
            return True
        kind = self.kind(node)
        layer = self.layer(node) if node.op == "call_module" else None
        is_in_place = node.kwargs.get("inplace", getattr(layer, "inplace", False))
        named = str(getattr(kind, "__name__", kind)).endswith("_")
        if not is_in_place and not named and kind not in OVERWRITES:
            return "out" not in node.kwargs
        user, source = node, node.args[0] if node.args else None
        while isinstance(source, fx.Node) and set(source.users) == {user}:
            if source.op == "placeholder" or self.kind(source) not in MOVES:
                return True
            user, source = source, source.args[0]  # what is moved may be a view
        return False

    def run(self, rows: Tensor) -> Mapping[fx.Node, Any]:
        """Return what each operation returns for rows, (n, d)."""
        interpreter = fx.Interpreter(self.module, garbage_collect_values=False)
        with torch.no_grad():
            interpreter.run(rows.to(self.device, self.dtype))
        return interpreter.env

    @cached_property
    def example(self) -> Mapping[fx.Node, Any]:
        """What each operation returns for two equal rows."""
        return self.run(torch.zeros(2, self.n_columns))

    @cached_property
    def coarsest(self) -> torch.dtype:
        """The floating type with the fewest digits among those of the module's numbers."""
        results = (part for part in self.example.values() if isinstance(part, Tensor))
        found = {part.dtype for part in results if part.is_floating_point()}
        return max(found, key=lambda dtype: torch.finfo(dtype).eps)

    @cached_property
    def fixed(self) -> set[fx.Node]:
        """The operations whose results do not depend on the numbers of the rows."""
        found: set[fx.Node] = set()
        for node in self.module.graph.nodes:
            is_shape = node.target in SHAPES or (
                node.target is getattr and node.args[1] in ("shape", "ndim", "dtype", "device")
            )
            computed = node.op in ("call_function", "call_method") and node.all_input_nodes
            if node.op == "get_attr" or is_shape or (computed and found >= set(computed)):
                found.add(node)
        return found

    def kind(self, node: fx.Node) -> Any:
        """Return the type of a node's layer, the function, or the name of the method."""
        if node.op == "call_module":
            return type(self.layer(node))
        return node.target

    def layer(self, node: fx.Node) -> nn.Module:
        """Return the layer that a node calls."""
        return self.module.get_submodule(str(node.target))

    def operand(self, node: fx.Node) -> fx.Node | None:
        """Return the one operand of a node that is not fixed, if it is used once."""
        places = [part for part in node.args if isinstance(part, fx.Node)]
        free = [part for part in places if part not in self.fixed]
        others = set(node.all_input_nodes) - set(free)
        return free[0] if len(free) == 1 and others <= self.fixed else None

    def is_affine(self, node: fx.Node) -> bool:
        """Tell whether a node is affine in its one operand, number by number."""
        kind = self.kind(node)
        if self.operand(node) is None or not set(node.kwargs) <= {"alpha"}:
            return False
        return kind in AFFINE or (kind in QUOTIENTS and node.args[0] is self.operand(node))

    def applied(self, node: fx.Node, given: Callable[[fx.Node], Any]) -> Any:
        """Return the result of a node for other inputs than rows lead to."""
        args: Any = fx.node.map_arg(node.args, given)
        kwargs: Any = fx.node.map_arg(node.kwargs, given)
        if node.op == "call_module":
            return self.layer(node)(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        assert callable(node.target)  # noqa: S101 - a function
        return node.target(*args, **kwargs)

    def moved(self, node: fx.Node, marks: Mapping[fx.Node, Any]) -> Any:
        """Return where a node that only moves numbers puts the marks of its operands.

        Parameters
        ----------
        marks : mapping of nodes
            To what ``like`` returns, whole numbers in the shape of the node's result.

        Returns
        -------
        Tensor or tuple of Tensor, or None
            None if the node does anything else than to move the numbers of each row.
        """
        if self.kind(node) not in MOVES or not node.args:
            return None
        given = node.args[0] if self.kind(node) in JOINS else [node.args[0]]
        free = {part for part in node.all_input_nodes if part not in self.fixed}
        is_known = isinstance(given, (list, tuple)) and set(given) == free and free <= set(marks)
        if not is_known:
            return None
        found = self.applied(node, lambda part: marks.get(part, self.example[part]))
        parts = (found,) if isinstance(found, Tensor) else found
        alike = all(len(part) == 2 and torch.equal(part[0], part[1]) for part in parts)
        return found if alike else None

    def like(self, node: fx.Node, marks: Tensor) -> Any:
        """Return marks of the numbers of one row, one after the other, in the result's shape."""
        result = self.example[node]
        if isinstance(result, Tensor):
            return marks.view(result.shape[1:]).expand(result.shape)
        sizes = [part[0].numel() for part in result]
        pieces = zip(torch.split(marks, sizes), result, strict=True)
        return tuple(piece.view(part.shape[1:]).expand(part.shape) for piece, part in pieces)
