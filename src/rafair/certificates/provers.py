"""``rafair.certify`` and ``certify_cells``: one prover for each kind of model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor

from rafair.bounds.network import layered_network
from rafair.certificates.cells import CELL_NODES, certify_network_cells
from rafair.certificates.certificate import certify_network
from rafair.certificates.guards import guard_prover
from rafair.certificates.tree_cells import certify_tree_cells
from rafair.certificates.tree_certificate import certify_trees
from rafair.certificates.verdicts import CellCertificate, Certificate, Property
from rafair.checks import check_one_of, check_whole
from rafair.errors import InvalidInput
from rafair.fairness import CELLS, Lipschitz
from rafair.guarding import guarded
from rafair.problem import check_problem
from rafair.trees import tree_ensemble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.bounds.network import LayeredNetwork
    from rafair.certificates.prover import Certainty, Prover, Question
    from rafair.fairness.lipschitz import LabelDistance, LabelDistanceName, PersonDistanceName
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.trees import TreeEnsemble

__all__ = [
    "MAX_NODES",
    "certify",
    "certify_cells",
    "prover_of",
    "why_uncertified",
]

MAX_NODES = 5_000


@dataclass(frozen=True, eq=False)
class NetworkProver:
    """Branch and bound with CROWN."""

    network: LayeredNetwork

    @property
    def certainty(self) -> Certainty:
        """Linear bounds of curved activations converge, but are never the functions themselves."""
        return "exact" if self.network.is_relu else "sound"

    def claims(
        self, question: Question, claim: Property, condition: Lipschitz, until: float
    ) -> Certificate:
        """Decide a claim; see ``certify``."""
        return certify_network(self.network, *question, claim, condition, until)

    def cells(
        self, question: Question, cells: Sequence[str], condition: Lipschitz, until: float
    ) -> CellCertificate:
        """Decide cells; see ``certify_cells``."""
        return certify_network_cells(self.network, *question, cells, condition, until)


@dataclass(frozen=True, eq=False)
class TreeProver:
    """A search over the boxes that the thresholds of trees make."""

    ensemble: TreeEnsemble

    @property
    def certainty(self) -> Certainty:
        """A box in which every tree has one leaf is decided by the model itself.

        Where a line changes within such a box, the model is asked at the box's ends alone.
        """
        return "exact" if self.ensemble.is_pieced else "sound"

    def claims(
        self, question: Question, claim: Property, condition: Lipschitz, until: float
    ) -> Certificate:
        """Decide a claim; see ``certify``."""
        return certify_trees(self.ensemble, *question, claim, condition, until)

    def cells(
        self, question: Question, cells: Sequence[str], condition: Lipschitz, until: float
    ) -> CellCertificate:
        """Decide cells; see ``certify_cells``."""
        return certify_tree_cells(self.ensemble, *question, cells, condition, until)


def _of_network(model: Classifier) -> Prover:
    network = layered_network(model)
    precision = torch.get_float32_matmul_precision()
    if torch.float32 in (model.dtype, network.dtype) and precision != "highest":
        raise InvalidInput(
            f"torch rounds products of float32 to less ({precision!r}), so that no bound holds; "
            "call torch.set_float32_matmul_precision('highest')"
        )
    return NetworkProver(network)


def _of_trees(model: Classifier) -> Prover:
    return TreeProver(tree_ensemble(model))


PROVERS: tuple[Callable[[Classifier], Prover], ...] = (_of_network, _of_trees)


def prover_of(model: Classifier) -> Prover:
    """Return the prover for a wrapped model.

    Raises
    ------
    InvalidInput
        If there is none; the message says why for each kind of model.
    """
    guard = guarded(model)
    if guard is not None:
        return guard_prover(guard, prover_of(guard.model))
    reasons = []
    for kind in PROVERS:
        try:
            return kind(model)
        except InvalidInput as error:
            reasons.append(str(error))
    raise InvalidInput("; ".join(reasons))


def why_uncertified(model: Classifier) -> str | None:
    """Return why ``prover_of`` refuses a model; None if it does not."""
    try:
        prover_of(model)
    except InvalidInput as error:
        return str(error)
    return None


def certify(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int = MAX_NODES,
    *,
    claim: Property = "accurate_fair",
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
) -> Certificate:
    """Prove that the judge calls v + δ accurate and fair for every δ in Δ, or find a δ otherwise.

    With K = 0 this means f(v') = y for every v' in I(v + δ). With K > 0, v' may get a class c with
    D(y, c) ≤ K·d(v, v'): the bounds leave out everybody who may get any class.

    Networks: complete branch and bound with CROWN bounds in float64; see ``branch_and_bound``. With
    smooth activations it is complete in the limit: whoever is decided by more than the rounding
    errors is proved with boxes enough.
    Trees: a complete search over the boxes that their thresholds make.
    Guards: see ``guard_prover``.

    Parameters
    ----------
    model : Classifier
        A wrapped torch network of linear layers, activations of one number (``ACTIVATIONS``) and
        embeddings (``lookups_of``), with logits as output; or a tree ensemble, alone or behind
        transformers that work column by column; or a guard of such a model.
    x : Tensor of a floating type, shape (n, d), unit space
        The instances v. Not modified.
    y : Tensor of int64, shape (n,)
        Ground truth, assumed to hold for every v + δ. Ignored if ``claim`` is "fair".
    counterparts : Counterparts
        I(v).
    space : PerturbationSpace
        Δ. If it has a lattice, a proof may also cover points between the lattice points; a witness
        is always a possible person.
    max_nodes : int
        Largest number of boxes to bound per instance. Unless ``until`` is given there is no time
        limit, so the verdict does not depend on the speed or load of the machine.
    claim : {"accurate_fair", "accurate", "fair"}
        The claim: R-AF, R-ACC (for v + δ only, without counterparts) or R-IF. R-IF is proved if
        v + δ gets the same class for every δ and nobody's class is too far from it, broken if a
        biased instance v + δ is found; of the others ``certify_cells`` asks whether some δ moves
        them into TB or FB. It is proved of everybody where the network reads no sensitive column.
    K : float, not negative
    D : {"discrete", "absolute"} or callable
    d : {"l1", "l2", "linf"}
        See ``judge``, whose question with the same K, D and d is answered.
    until : float
        Time of day, as ``time.time`` gives it, at which what is still open becomes undecided.

    Returns
    -------
    Certificate

    Raises
    ------
    InvalidInput
        If the model is of no such kind, the problem has no meaning (``check_problem``), the claim
        is unknown, ``max_nodes`` is no positive whole number, K is negative or not finite, D or d
        is unknown, D of two equal classes is not 0, or d is a function.

    Source: Zhang et al., NeurIPS 2018 (CROWN); see ``linear_bound``.
    """
    check_problem(model, x, y, counterparts, space)
    if claim not in get_args(Property):
        raise InvalidInput(f"unknown claim {claim!r}; use one of {', '.join(get_args(Property))}")
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or max_nodes < 1:
        raise InvalidInput(f"max_nodes must be a positive whole number, not {max_nodes!r}")
    question = (model, x, y, counterparts, space, max_nodes)
    return prover_of(model).claims(question, claim, Lipschitz(K, D, d), until)


def certify_cells(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int = CELL_NODES,
    *,
    cells: Sequence[str] = CELLS,
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
) -> CellCertificate:
    """Decide for each instance and cell whether some δ in Δ moves it into the cell.

    The judge alone accepts a witness.

    Parameters
    ----------
    model : Classifier
        See ``certify``.
    x : Tensor of a floating type, shape (n, d), unit space
        The instances v. Not modified.
    y : Tensor of int64, shape (n,)
        Ground truth, assumed to hold for every v + δ.
    counterparts, space : see ``certify``.
    max_nodes : int
        Largest number of boxes to bound per instance, cell and class.
    cells : sequence of {"TF", "TB", "FF", "FB"}
        The cells to decide; the others are filled in only where a witness turns up.
    K, D, d, until : see ``certify``.

    Returns
    -------
    CellCertificate

    Raises
    ------
    InvalidInput
        If the model has no certificates, the problem has no meaning (``check_problem``), a cell is
        unknown, ``max_nodes`` is no positive whole number, or K, D or d is refused (``certify``).

    Source: Table 1 of Li et al., arXiv:2404.01356v1; the bounds are those of ``linear_bound``.
    """
    check_problem(model, x, y, counterparts, space)
    check_whole("max_nodes", max_nodes, 1)
    for cell in cells:
        check_one_of("cell", cell, CELLS)
    question = (model, x, y, counterparts, space, max_nodes)
    return prover_of(model).cells(question, cells, Lipschitz(K, D, d), until)
