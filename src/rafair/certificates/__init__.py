"""Proofs that nothing in I(v) × Δ breaks an instance, or a witness that something does."""

from rafair.certificates.cells import CELL_NODES, CellCertificate, certify_cells
from rafair.certificates.certificate import MAX_NODES, Certificate, Property, certify
from rafair.certificates.curve import certify_curve

__all__ = [
    "CELL_NODES",
    "MAX_NODES",
    "CellCertificate",
    "Certificate",
    "Property",
    "certify",
    "certify_cells",
    "certify_curve",
]
