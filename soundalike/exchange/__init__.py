"""A collection in a file, on its way between machines."""

from soundalike.exchange.exporting import export_collection
from soundalike.exchange.format import SUFFIX, Summary
from soundalike.exchange.importing import ImportResult, Rebase, import_collection
from soundalike.exchange.reading import open_archive

__all__ = [
    "SUFFIX",
    "ImportResult",
    "Rebase",
    "Summary",
    "export_collection",
    "import_collection",
    "open_archive",
]
