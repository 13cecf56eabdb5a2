"""The packages here bring tests of their own, which run where the package is installed."""

collect_ignore_glob = ["mousai-kit-*"]
