"""How scores rank: areas with their intervals, curves, thresholds, groups, histograms, maps."""
