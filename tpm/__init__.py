"""The TPM: `tpm.service` runs beside it, `tpm.client` and `tpm.tokens` are how the portal speaks to that service."""
