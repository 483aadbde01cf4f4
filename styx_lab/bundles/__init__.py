"""Promotion: a flow with everything it needs, packed, verified in a clean process, refused when one byte differs."""
