"""One module per kind of table or figure; the ``PARTS`` of every module here are found."""
