"""Policies over HTTP: documents and their versions, the stages that these go through, approvals, regret."""
