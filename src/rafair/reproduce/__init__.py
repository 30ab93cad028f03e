"""Repeats the paper's evaluation and shows tables and figures beside the published numbers."""

from rafair.reproduce.reproduction import all_parts, choose_parts, reproduce
from rafair.reproduce.study import Study

__all__ = ["Study", "all_parts", "choose_parts", "reproduce"]
