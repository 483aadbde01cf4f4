"""Servers of Styx: models over HTTP, in the shape of Openscoring's REST.

Law: a server listens on loopback unless it asks for a token.
"""
