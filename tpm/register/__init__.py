"""The register of TPM services: which ones the portal knows, what they have shown, and whether they may be used.

enrolment.py  a service becomes known, and what is pinned of it
register.py   it is attested again and again, and its keys are certified
gate.py       what the ledger asks before it uses one; reads rows, and nothing else
reports.py    what is kept of each judgement
values.py     rows as the verifier's values
words.py      states and steps for people
"""
