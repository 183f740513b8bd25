"""Named searches: what is looked for, decisions on what was found, and searches that respect them."""
