"""The fault lab: small real jobs that really fail; speaks only the public API."""
