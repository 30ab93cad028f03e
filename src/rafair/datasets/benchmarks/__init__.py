"""The datasets that the package carries: one file each, found by being here."""
