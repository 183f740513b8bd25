"""The Python face of an index: one object that indexes, searches and shows what it finds."""
