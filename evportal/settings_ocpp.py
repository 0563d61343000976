"""Settings of the OCPP gateway; part of evportal/settings.py, and of docs/settings.md as it."""

from evportal import env

# --- OCPP gateway (`manage.py gateway`, docs/ocpp.md)
OCPP_HOST = env.text("EVPORTAL_OCPP_HOST", "127.0.0.1")  # the address on which it listens
OCPP_PORT = env.integer("EVPORTAL_OCPP_PORT", 8300)  # its port
# How stations reach it (wss://NAME/ocpp): what the pages for operators tell them to enter
OCPP_PUBLIC_URL = env.text("EVPORTAL_OCPP_PUBLIC_URL", "").rstrip("/")
OCPP_HEARTBEAT_S = env.integer("EVPORTAL_OCPP_HEARTBEAT_S", 300)  # how often stations are asked to give a sign of life
OCPP_PING_S = env.integer("EVPORTAL_OCPP_PING_S", 60)  # a connection that has not answered a ping for so long is closed
OCPP_MESSAGE_MAX_BYTES = env.integer("EVPORTAL_OCPP_MESSAGE_MAX_BYTES", 262_144)  # the largest message that is read
# Messages a second of one station; who says more is read more slowly
OCPP_MESSAGES_PER_S = env.integer("EVPORTAL_OCPP_MESSAGES_PER_S", 50)
OCPP_CALL_TIMEOUT_S = env.integer("EVPORTAL_OCPP_CALL_TIMEOUT_S", 30)  # how long a station may take for an answer
OCPP_MESSAGES_KEEP_DAYS = env.integer("EVPORTAL_OCPP_MESSAGES_KEEP_DAYS", 30)  # how long each message is kept
# How long what stations tell of themselves is kept: starts, faults, security events
OCPP_EVENTS_KEEP_DAYS = env.integer("EVPORTAL_OCPP_EVENTS_KEEP_DAYS", 365)
# How long commands are kept with their outcome
OCPP_COMMANDS_KEEP_DAYS = env.integer("EVPORTAL_OCPP_COMMANDS_KEEP_DAYS", 365)

# --- OCPP security profiles: TLS in the gateway or in front of it, certificates of stations
# The gateway's certificate with its chain, PEM; without one it speaks no TLS
OCPP_TLS_CERT = env.text("EVPORTAL_OCPP_TLS_CERT", "")
OCPP_TLS_KEY = env.text("EVPORTAL_OCPP_TLS_KEY", "")  # the file with its private key, PEM
# Addresses or networks of proxies that end TLS in front of the gateway; what others say in Client-Cert is not believed
OCPP_TRUSTED_PROXIES = env.listing("EVPORTAL_OCPP_TRUSTED_PROXIES")
# The operator as certificates name it (O, 1.6: CpoName, 2.x: OrganizationName); "" in both: stations may say anything
OCPP_ORGANIZATION = env.text("EVPORTAL_OCPP_ORGANIZATION", env.text("EVPORTAL_OPERATOR_NAME", ""))
OCPP_CERTIFICATE_DAYS = env.integer("EVPORTAL_OCPP_CERTIFICATE_DAYS", 365)  # how long a station's certificate is good
# A station whose certificate runs out within so many days is asked to renew it
OCPP_RENEW_DAYS = env.integer("EVPORTAL_OCPP_RENEW_DAYS", 30)
