"""Reject requests before they reach a route or an executor: keys, limits, hosts, proxies."""
