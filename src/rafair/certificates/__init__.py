"""Prove that no point of I(v) × Δ breaks an instance, or find a witness that breaks it."""

from rafair.certificates.certificate import MAX_NODES, Certificate, Property, certify
from rafair.certificates.curve import certify_curve

__all__ = ["MAX_NODES", "Certificate", "Property", "certify", "certify_curve"]
