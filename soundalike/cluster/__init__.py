"""Index on several processes and machines, through Dask."""
