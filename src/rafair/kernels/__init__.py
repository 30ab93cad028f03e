"""Forward and backward passes of dense networks with (leaky) ReLU, compiled by numba.

``network`` is the form of a network, ``lanes`` vectors of rows, ``passes`` the arithmetic of one
block of rows, ``rows`` and ``counterparts`` what is computed for tables and for I(v). Arrays are
numpy's. numba is imported with the modules, on first use.
"""
