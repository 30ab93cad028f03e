"""Repairs: perturbations that make an instance accurate and fair, with or without its label."""

from rafair.repair.benign import Benign
from rafair.repair.benign_search import BenignSearch
from rafair.repair.label_free import LabelFree, Mended
from rafair.repair.minimax import Minimax

__all__ = ["Benign", "BenignSearch", "LabelFree", "Mended", "Minimax"]
