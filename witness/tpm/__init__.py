"""A witness looks at a TPM for itself, and says so with its own key."""
