"""Programs that measure; `make bench` runs each. Results are JSON in `bench/results/`, each beside its floor."""
