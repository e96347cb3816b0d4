# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Keys, tokens and private keys by the prefixes their issuers give them.

Passwords and secrets without a shape are taken by their field label (`fields`).
"""

from appliance.redaction.rule import rule

RULES = (
    rule("private_key", "PRIVATE_KEY", r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?", None, 0.99, loose=True, needs="-----begin"),
    rule("aws_access_key", "API_KEY", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", None, 0.97),
    rule("github_token", "API_KEY", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b", None, 0.98),
    rule("gitlab_token", "API_KEY", r"\bgl(?:pat|dt|rt|ptt|cbt|oas)-[A-Za-z0-9_\-]{20,64}", None, 0.98, loose=True),
    rule("openai_key", "API_KEY", r"\bsk-(?:ant-|proj-|svcacct-|or-)?[A-Za-z0-9_\-]{20,200}", None, 0.95, loose=True),
    rule("slack_token", "API_KEY", r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,200}", None, 0.97, loose=True),
    rule("stripe_key", "API_KEY", r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,128}\b", None, 0.97),
    rule("google_key", "API_KEY", r"\bAIza[0-9A-Za-z_\-]{35}", None, 0.97, loose=True),
    rule("google_oauth", "API_KEY", r"\bya29\.[0-9A-Za-z_\-]{20,200}", None, 0.97, loose=True),
    rule("huggingface_token", "API_KEY", r"\bhf_[A-Za-z0-9]{30,64}\b", None, 0.97),
    rule("cloister_key", "API_KEY", r"\bclo?_[A-Za-z0-9_\-]{30,100}", None, 0.9, loose=True),
    rule("npm_pypi_token", "API_KEY", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_\-]{50,200})", None, 0.97, loose=True),
    rule("sendgrid_key", "API_KEY", r"\bSG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64}", None, 0.97, loose=True),
    rule("jwt", "API_KEY", r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.?[A-Za-z0-9_\-]*", None, 0.97, loose=True, needs="eyj"),
    rule("bearer", "API_KEY", r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9_\-.~+/]{16,}=*)", lambda v: any(c.isdigit() for c in v), 0.9, loose=True, needs="bearer basic"),
    rule("url_password", "PASSWORD", r"://[^\s/:@]{1,64}:([^\s/@]{1,128})@", None, 0.95, loose=True, needs="://"),
    rule("ssh_public_key", "API_KEY", r"\bssh-(?:rsa|ed25519|dss) [A-Za-z0-9+/]{40,}={0,2}", None, 0.8, loose=True, needs="ssh-"),
    rule("age_secret_key", "PRIVATE_KEY", r"(?i)\bAGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{40,70}\b", None, 0.99),
)  # fmt: skip
