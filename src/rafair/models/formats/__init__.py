"""One file per format: ``SUFFIXES`` names it, ``read`` returns the native model of a file."""
