"""Proofs that nothing in I(v) × Δ breaks an instance, or a witness that something does."""

from rafair.certificates.certificate import MAX_NODES, Certificate, Property, certify
from rafair.certificates.curve import certify_curve

__all__ = ["MAX_NODES", "Certificate", "Property", "certify", "certify_curve"]
