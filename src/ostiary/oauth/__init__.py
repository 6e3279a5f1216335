"""The language: what the RFCs put on the wire, parsed and rendered. No I/O, no clock, no third party."""
