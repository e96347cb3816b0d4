"""OpenAI's wire format: chat completions, completions, models, errors.

Source: OpenAI's published OpenAPI document and what its official SDKs send and accept.
"""
