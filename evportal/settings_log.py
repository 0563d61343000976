"""Settings of the transparency log; part of evportal/settings.py, and of docs/settings.md as it."""

from celery.schedules import schedule

from evportal import env

# --- The transparency log over the ledger (docs/ledger.md)
# Its name in checkpoints and keys, for ever; who publishes one uses a name of their own (ledger.example.org/log)
LOG_ORIGIN = env.text("EVPORTAL_LOG_ORIGIN", "evportal.invalid/log")
LOG_EVERY_S = env.integer("EVPORTAL_LOG_EVERY_S", 5)  # checkpoints follow each other after so many seconds, not sooner
# A witness that has not signed the newest checkpoint after so many seconds is missing
LOG_WITNESS_LATE_S = env.integer("EVPORTAL_LOG_WITNESS_LATE_S", 120)
LEDGER_LOG_KEY = env.text("EVPORTAL_LEDGER_LOG_KEY", "log")  # name of the log's key in the TPM service

LOG_BEAT_SCHEDULE = {
    # one that waited for long is not done twice
    "ledger-log": {"task": "ledger.tasks.log", "schedule": schedule(run_every=5), "options": {"expires": 5}},
    "log-witnesses": {"task": "ledger.tasks.witnesses_sweep", "schedule": schedule(run_every=5)},
    "log-witnesses-compare": {"task": "ledger.tasks.witnesses_compare", "schedule": schedule(run_every=300)},
}
