"""Models of what sounds normal, and scores of recordings against them."""
