"""The transparency log: statements, the tree over them, signed heads, offline proofs.

Needs the Python standard library only; Ed25519 comes from `cryptography` or the openssl command (see ed25519.py),
time stamps (timestamp.py) from asn1crypto and `cryptography`, or from the openssl command.
Nothing here reads a clock, a random source, the network or a settings file.
"""
