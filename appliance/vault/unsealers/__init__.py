"""The ways to unseal a vault, one per module; `unsealer` says what they have in common."""
