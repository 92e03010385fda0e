"""The log digest: what is worth reading in a log, without its secrets."""

from agentic.digest.cleaning import clean_lines, split_log
from agentic.digest.encoding import decode_log
from agentic.digest.redaction import Redactor
from agentic.digest.selection import Selection, Selector
from agentic.digest.summary import digest_log

__all__ = ["Redactor", "Selection", "Selector", "clean_lines", "decode_log", "digest_log", "split_log"]
