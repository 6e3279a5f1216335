"""Figures of the hot paths, each beside a bound from the same run. `make bench` prints them; nothing asserts a time."""
