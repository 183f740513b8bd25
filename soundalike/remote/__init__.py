"""List and fetch recordings of other machines, through fsspec."""
