"""How people and machines show who they are: sessions, API tokens, an identity provider's tokens."""
