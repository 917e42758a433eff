"""The paper's claims: what is measured for each, and how a verdict is reached (docs/protocol.md, Claims)."""
