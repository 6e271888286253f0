"""Packets: one case as files that its target takes: letters, comparisons, evidence, a manifest, and ZIP parts under its caps.

Pure: a Packet in, the same bytes out every time. Signing and the log are the services' business.
"""
