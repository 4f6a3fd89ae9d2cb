"""Provers: the searches behind the oracles of the logic families. They judge nothing."""
