"""Proofs that nothing in I(v) × Δ breaks an instance, or a witness that something does."""

from rafair.certificates.cells import CELL_NODES
from rafair.certificates.curve import certify_curve
from rafair.certificates.prover import Certainty
from rafair.certificates.provers import (
    MAX_NODES,
    certify,
    certify_cells,
    prover_of,
    why_uncertified,
)
from rafair.certificates.verdicts import CellCertificate, Certificate, Property

__all__ = [
    "CELL_NODES",
    "MAX_NODES",
    "CellCertificate",
    "Certainty",
    "Certificate",
    "Property",
    "certify",
    "certify_cells",
    "certify_curve",
    "prover_of",
    "why_uncertified",
]
