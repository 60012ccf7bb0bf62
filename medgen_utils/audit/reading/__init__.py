"""The parts of `audit.read`: columns of classes, pairing of models and runs, and what may be a mistake."""
