"""What docs/settings.md says around its tables, and of the names that only the compose files know."""

HEAD = """\
# Settings

Made by `make papers` from `evportal/settings.py`, `tpm/service/settings.py`, `compose.yaml` and
`compose.hardware.yaml`; a test compares. To change what stands here, change the comment there.

From the environment: `NAME`, or `NAME_FILE` that names a file with the value. The portal (web, workers, beat,
`manage.py`) reads further lines `NAME=value` from the file that `EVPORTAL_ENV_FILE` names; what the environment says
wins. A value that makes no sense ends the start with a message. Yes and no are `1` and `0`; lists have commas.

The column *compose*: whether it can be set for the containers, in the environment of docker-compose or in
`var/compose/env` (yes), lies in a file of `var/compose/secrets` (secret), is set by `compose.yaml` (what to), or why it
is not passed on."""

TPM_HEAD = """\
## TPM service

It reads no file of settings: `NAME` or `NAME_FILE` in the environment."""

VARIABLES_HEAD = """\
## compose.yaml and compose.hardware.yaml

In the environment of docker-compose or in `var/compose/env`, where `python -m dev.containers prepare` writes some."""

DEMO_HEAD = """\
## make demo

The ports of 127.0.0.1, in the environment; the last choice is remembered in `var/demo.conf`."""

# What compose.yaml passes to no container, and why.
NOT_IN_COMPOSE = {
    "EVPORTAL_OCPP_HOST": "no: inside the container it is `0.0.0.0`",
    "EVPORTAL_OCPP_PORT": "no: inside the container it is the default",
    "EVPORTAL_OCPP_TLS_CERT": "no: TLS ends in front of it",
    "EVPORTAL_OCPP_TLS_KEY": "no: TLS ends in front of it",
    "EVPORTAL_DEBUG": "no: for development",
    "EVPORTAL_WEBHOOK_ALLOW_LOCAL": "no: for development",
    "EVPORTAL_OCPI_PARTNER_URLS": "no: for development",
    "EVPORTAL_TPM_ATTESTATION": "no: for development",
    "EVPORTAL_LEDGER_ACCOUNT": "no: the setup makes this one",
    "EVPORTAL_LEDGER_MASTER_KEY_POLICY": "no: the service there is measured",
    "EVPORTAL_LEDGER_CHAIN_ID": "found by `chain-setup`",
    "EVPORTAL_LEDGER_CODE_HASH": "found by `chain-setup`",
    "EVPORTAL_LEDGER_CODE_UPDATED": "found by `chain-setup`",
    "TPM_OWNER_AUTH": "no: a software TPM there has none",
    "TPM_ENDORSEMENT_AUTH": "no: a software TPM there has none",
    "TPM_MEASURE": "no: for development",
    "TPM_MEASURED_PCR": "in `compose.hardware.yaml`: `23`",
    "TPM_HOST_PCRS": "in `compose.hardware.yaml`: `0,2,4,7`",
}

COMPOSE_VARIABLES = {
    "COMPOSE_PROJECT_NAME": "docker-compose's own: the first part of the names of containers, networks and volumes",
    "EVPORTAL_COGNITO_PORT": "port of the identity provider on this machine",
    "EVPORTAL_COMPOSE_DIR": "where `prepare` has put release, keys and secrets",
    "EVPORTAL_GATEWAY_PORT": "port of the OCPP gateway on this machine",
    "EVPORTAL_EK_ROOTS": "hardware TPM: PEM file with the roots of its maker",
    "EVPORTAL_HOST_PCRS": "hardware TPM: the values approved for this host, as `0=HEX 2=HEX 4=HEX 7=HEX`",
    "EVPORTAL_NODEOS_PORT": "port of the first node on this machine",
    "EVPORTAL_READER_PORT": "port of the second node on this machine",
    "EVPORTAL_TPM_RELEASE": "which release of the TPM service runs: it names the volumes with its files",
    "EVPORTAL_TSS_GID": "hardware TPM: the group of the device",
    "EVPORTAL_WEB_PORT": "port of the portal on this machine",
}
