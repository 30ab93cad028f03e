"""What a column means, and the conversion between original units and unit space."""

from rafair.schema.conditions import Conditions
from rafair.schema.encoding import Schema
from rafair.schema.feature import Feature, Kind, Level
from rafair.schema.fitting import Column, fit_feature, levels_of
from rafair.schema.frames import as_kind, as_pandas, kind_of
from rafair.schema.regions import Conditioned, Region, read_region, read_regions
from rafair.schema.relations import Relation

__all__ = [
    "Column",
    "Conditioned",
    "Conditions",
    "Feature",
    "Kind",
    "Level",
    "Region",
    "Relation",
    "Schema",
    "as_kind",
    "as_pandas",
    "fit_feature",
    "kind_of",
    "levels_of",
    "read_region",
    "read_regions",
]
