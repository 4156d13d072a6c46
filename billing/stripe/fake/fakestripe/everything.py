"""Imports every file that registers calls or knobs."""

from . import (
    accounts,
    balance,
    charges,
    customers,
    disputes,
    events,
    fraud,
    happenings,
    intents,
    invoices,
    knobs,
    methods,
    portal,
    refunds,
    sessions,
    setups,
    transfers,
)

LOADED = (accounts, balance, charges, customers, disputes, events, fraud, happenings, intents, invoices, knobs, methods, portal,
          refunds, sessions, setups, transfers)
