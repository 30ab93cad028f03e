"""What a column means, and the way between a frame in original units and unit space."""

from rafair.schema.feature import Feature, Kind
from rafair.schema.fit import Column, fit_schema, levels_of
from rafair.schema.schema import Schema

__all__ = ["Column", "Feature", "Kind", "Schema", "fit_schema", "levels_of"]
