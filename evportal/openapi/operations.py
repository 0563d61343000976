"""What each operation of the REST API does, in a sentence or two."""

OPERATIONS = {
    "me_get": "Who calls: a person with roles, or a program, and what the token may do.",
    "me_update": "Set a person's language and time zone.",
    "sites_list": "The sites that the caller sees: for a driver those where they charged.",
    "sites_create": "Add a site.",
    "sites_get": "One site.",
    "sites_update": "Change a site. Sessions keep the place as it was when they started.",
    "sites_limit": "What all outlets of a site may draw together, in amperes per phase, and its schedule.",
    "sites_limit_set": "Set the limit and the whole schedule. The stations are told at once.",
    "stations_list": "The stations that the caller sees: for a driver those where they charged.",
    "stations_create": "Add a station at a site that the caller sees. It reports once it has a credential.",
    "stations_get": "One station.",
    "stations_update": "Change a station, or move it to another site.",
    "stations_messages": (
        "What a station and the portal said over OCPP, word for word, the newest first; for staff and programs of its "
        "site. Each is kept for some weeks."
    ),
    "stations_events": "What a station told of itself besides charges, the newest first: faults, security, updates.",
    "stations_variables": "A station's configuration as it was last reported.",
    "commands_list": "What was asked of this station, the newest first: a person sees their own, staff all.",
    "commands_create": (
        "Ask the station something. It is sent while the station is connected, within `valid_for_s`; what became of it "
        "is read at the address of the answer. Parameters by kind: `x-params-by-kind` of the body's schema."
    ),
    "commands_get": "One command with its whole outcome.",
    "commands_cancel": "Take a command back while it waits. What was sent cannot be taken back: 409.",
    "connectors_list": "The outlets that the caller sees: for a driver those where they charged.",
    "connectors_create": "Add an outlet to a station.",
    "connectors_get": "One outlet.",
    "connectors_update": "Change an outlet. Its status is what the station says.",
    "tariffs_list": "Tariffs: for staff all of them, for others those of the sites and outlets that they see.",
    "tariffs_create": "Add a tariff.",
    "tariffs_get": "One tariff.",
    "tariffs_update": "Change a tariff. It holds for sessions that start from then on.",
    "tokens_list": "Cards, contracts and app users: a driver's own.",
    "tokens_get": "One card, contract or app user.",
    "sessions_list": "Charging sessions that the caller sees, the newest first.",
    "sessions_get": "One session.",
    "sessions_meter_values": "What the meter said during the session, in the order of time.",
    "sessions_ledger": "The session's record on the chain in exact terms, every id in full.",
    "sessions_receipt": "The receipt of a recorded session: with it anybody checks the record without us.",
    "sessions_proof": (
        "The twelve steps of the check, taken now by this server with the nodes that it knows. What they find is kept. "
        "The receipt lets you take them without us."
    ),
    "statements_list": "A person's own months with their sums, the newest first; currencies are never added.",
    "ledger_get": "How recording goes: what waits, and where the chain is.",
    "webhooks_list": "The caller's own webhooks.",
    "webhooks_create": "Have an address told of recorded sessions and ended commands. Only this answer has the secret.",
    "webhooks_get": "One webhook, and since when it fails, if it does.",
    "webhooks_update": "Change a webhook, or switch it off and on. Switched on again, it is sent what still waits.",
    "webhooks_delete": "Remove a webhook with its deliveries. Needs no If-Match.",
    "webhooks_new_secret": "A new secret, in this answer alone; the old one ends at once.",
    "webhooks_ping": "A delivery to try the receiver with. It is sent soon: the deliveries say how it went.",
    "webhooks_deliveries": "What was sent, the newest first, for 30 days.",
    "station_start": "A station reports a start: 201 with the session, 200 where the same start was reported before.",
    "station_session": "A station asks for a session of its own.",
    "station_meter_values": "A station reports meter values: how many are new, and how many were there already.",
    "station_boot": "A station started anew and says what still charges; its other open sessions are ended.",
    "station_stop": "A station reports a stop: the closed session, the first time as every time.",
}
