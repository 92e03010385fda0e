"""The log digest: what is worth reading in a log, without its secrets."""

from agentic.digest.cleaning import clean_lines, split_log
from agentic.digest.redaction import Redactor
from agentic.digest.summary import digest_log

__all__ = ["Redactor", "clean_lines", "digest_log", "split_log"]
