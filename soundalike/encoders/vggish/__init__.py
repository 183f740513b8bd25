"""VGGish: network and post-processing, divided as in upstream's code."""
