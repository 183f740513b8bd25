"""From the gateway to the executors: calls, checks of names, and look-ups."""
