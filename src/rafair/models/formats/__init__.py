"""One module per file format: ``SUFFIXES`` are its suffixes, ``read`` returns a file's model."""
