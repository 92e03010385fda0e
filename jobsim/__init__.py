"""The fault lab: small real jobs that really fail; speaks only the public API."""

from jobsim.lab import Lab, Verdict
from jobsim.settings import lab_config

__all__ = ["Lab", "Verdict", "lab_config"]
