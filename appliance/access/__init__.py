"""Who asks: principals and their roles, API keys, people and their sessions, failed attempts.

Nothing here stores a secret: keys and session tokens are kept as keyed digests, passwords as
Argon2id hashes.
"""
