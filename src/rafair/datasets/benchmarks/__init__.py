"""The embedded datasets, one module each; every module in this folder is a benchmark."""
