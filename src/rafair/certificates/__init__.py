"""Proofs that nothing in I(v) × Δ breaks an instance, or a witness that something does."""

from rafair.certificates.certifying import Certificate, Property, certify

__all__ = ["Certificate", "Property", "certify"]
