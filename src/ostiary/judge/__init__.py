"""Where chain, authorities, cache, log and clock meet, and nowhere else: settings become a judge that doors ask."""
