"""The paper's evaluation, run anew: its tables and figures beside the published numbers."""

from rafair.reproduce.reproduction import all_parts, choose_parts, reproduce
from rafair.reproduce.study import Study

__all__ = ["Study", "all_parts", "choose_parts", "reproduce"]
