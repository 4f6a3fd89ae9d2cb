"""Shared nouns: what rooms hand each other. Data only; nothing here reads, writes or decides."""
