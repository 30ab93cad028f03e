"""One file per kind of table or figure; each names its ``PARTS`` and is found by being here."""
