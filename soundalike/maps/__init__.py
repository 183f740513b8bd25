"""Maps of collections: every recording or window as a point, similar ones close together."""
