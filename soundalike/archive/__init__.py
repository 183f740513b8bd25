"""Export collections to archive files, and import them on another machine."""

from soundalike.archive.exporting import export_collection
from soundalike.archive.format import SUFFIX, Summary
from soundalike.archive.importing import ImportResult, Rebase, import_collection
from soundalike.archive.reading import open_archive

__all__ = [
    "SUFFIX",
    "ImportResult",
    "Rebase",
    "Summary",
    "export_collection",
    "import_collection",
    "open_archive",
]
