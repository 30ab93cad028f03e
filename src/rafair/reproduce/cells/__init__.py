"""The computations of a reproduction; tables and figures show their results."""
