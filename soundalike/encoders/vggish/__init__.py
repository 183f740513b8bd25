"""VGGish: its network and its postprocessing, split as upstream splits them."""
