"""Repair with a known label: perturbations that make an instance accurate and fair."""

from rafair.repair.benign import Benign

__all__ = ["Benign"]
