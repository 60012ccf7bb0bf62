"""What things cost, as ratios measured in one run: ``make speed``, README.md. A file a group of works."""
