"""Throughput against peers and limits measured in the same run; ratios are what counts."""
