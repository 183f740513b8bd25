"""Work that outlives its request: jobs, uploaded files, and worker threads."""
