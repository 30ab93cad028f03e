"""One module per verb; its function ``command`` becomes ``rafair VERB``."""
