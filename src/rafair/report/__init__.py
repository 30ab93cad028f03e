"""The report of a finished run: a page, its figures, and tables for a terminal."""

from rafair.report.page import render_pages, write_report

__all__ = ["render_pages", "write_report"]
