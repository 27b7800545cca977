"""Metrics, health, API, hooks and the status site; the only importer of aiohttp.web."""
