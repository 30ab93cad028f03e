"""Repair with a known label: perturbations that make an instance accurate and fair."""

from rafair.repair.benign import Benign
from rafair.repair.benign_search import BenignSearch
from rafair.repair.minimax import Minimax

__all__ = ["Benign", "BenignSearch", "Minimax"]
