"""VGGish: its front end, its network, its published weights. Split as upstream splits it."""
