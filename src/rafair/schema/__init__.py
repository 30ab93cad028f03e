"""What a column means, and the way between a frame in original units and unit space."""

from rafair.schema.conditions import Conditions
from rafair.schema.feature import Feature, Kind, Level
from rafair.schema.fit import Column, fit_feature, fit_schema, levels_of
from rafair.schema.frames import as_kind, as_pandas, kind_of
from rafair.schema.relations import Relation
from rafair.schema.schema import Schema

__all__ = [
    "Column",
    "Conditions",
    "Feature",
    "Kind",
    "Level",
    "Relation",
    "Schema",
    "as_kind",
    "as_pandas",
    "fit_feature",
    "fit_schema",
    "kind_of",
    "levels_of",
]
