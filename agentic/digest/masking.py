"""Lines without what changes from run to run: times, ids, hosts, numbers.

What tells causes apart (HTTP and SQL states, errno, vendor codes) is kept. All patterns are bounded, so that
masking is linear in the length of the line.
"""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

import re
from functools import lru_cache

from agentic.words import words

_LONGEST = 600
_LONGEST_REMEMBERED = 40

# Named one by one: three or four capitals behind a time can as well be the level, or the first word of the message.
_ZONES = (
    "Z|UTC|GMT|WES?T|CES?T|EES?T|MSK|BST|IST|[ECMP][SD]T|AK[SD]T|HST|A[SD]T|BRT|ART|JST|KST|SGT|HKT|PHT|ICT|WIB|AE[SD]T|AC[SD]T"
    "|AWST|NZ[SD]T|SAST|GST|PKT"
)
_LEVELS = "TRACE|DEBUG|VERBOSE|INFO|NOTICE|SUCCESS|WARN|WARNING|ERRO|ERROR|ERR|SEVERE|CRIT|CRITICAL|ALERT|EMERG|FATAL|PANIC|FAILED"
_CLOCK = r"\d\d?:\d\d(?::\d\d)?(?:[.,:]\d{1,9})?(?: ?[AaPp]\.?[Mm]\.?(?![A-Za-z0-9]))?"
_OFFSET = r"(?: ?(?:" + _ZONES + r"|[+-]\d\d:?\d\d)(?![A-Za-z0-9]))?"
_MONTH = r"[^\W\d_]{3,10}\.?"
_PREFIXES = re.compile(
    r"^(?:"
    r"(?:<\d{1,3}>)?\[?(?:[a-z]+ )?\d{4}[-/.]\d\d[-/.]\d\d(?:[T _]|, ?)\d\d[:.]\d\d(?:[:.]\d\d)?(?:[.,:]\d+)?(?: [AP]M)?"
    + _OFFSET
    + r"\]?(?: (?!(?i:"
    + _LEVELS
    + r") )[\w.-]{1,64} (?=[\w./-]{1,64}\[\d{1,8}\]: ))?"
    r"|<\d{1,3}>1 \d{4}-\d\d-\d\dT\S{1,40} \S{1,255} \S{1,48} \S{1,128} \S{1,32} (?:-|(?:\[[^\]]{0,300}\])+)"
    r"|\[?\d\d?/(?:[A-Z][a-z]{2}|\d\d?)/\d{2,4}[: ,]{1,2}" + _CLOCK + _OFFSET + r"\]?"
    r"|\[?\d\d?[.-]\d\d?[.-]\d{4},? " + _CLOCK + _OFFSET + r"\]?"
    r"|\[?\d{4}年 ?\d\d?月 ?\d\d?日 *(?:\d\d?[:时時]\d\d(?:[:分]\d\d秒?)?)?\]?"
    # The 1st of May in any language, with the name of the day or without.
    r"|\[?(?:[^\W\d_]{2,9}[.,]{0,2} )?\d\d?\.? (?:de )?"
    + _MONTH
    + r" (?:de )?(?:\d{4},? )?"
    + _CLOCK
    + _OFFSET
    + r"(?: \d{4})?\]?"
    r"|\[?(?:[A-Z][a-z]{2}, )?[A-Z][a-z]{2,8} \d\d?, \d{4},? " + _CLOCK + _OFFSET + r"\]?"
    r"|(?:<\d{1,3}>)?\[?(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d(?:[.,]\d+)?(?: (?:[A-Z]{3,4} )?\d{4})?\]?(?: (?!(?i:"
    + _LEVELS
    + r") )[\w.-]{1,64}(?= [\w./()-]{1,64}(?:\[\d+\])?: ))?"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| (?=[A-Z]{3}\] ))?\]?"
    r"|(?:19|20)\d{6}[-T _]?\d\d:?\d\d:?\d\d(?:[.,]\d+)?Z?"
    r"|\d{6} \d{6} \d+"
    r"|@4[0-9a-f]{23}"
    r"|\[ *\d+\.\d{3,}\]|\[ *\d{1,3}(?:\.\d+)? ?%\]|\[\d{1,6}/\d{1,6}\]|\[?\+?\d+(?:\.\d+)?s\]"
    r"|[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (?:[\w./-]{1,80}:\d{1,6}\])?"
    r"|[A-Z], \[\d{4}-\d\d-\d\dT[\d:.]{8,20} #\d+\] +(?=[A-Z]{3,7} -- )"
    r"|\d{10,13}(?:\.\d+)?"
    r"|std(?:out|err) [FP] "
    r"|##\[(?:error|warning|debug|group|section|command)\]|##vso\[[^\]]{1,200}\]|::(?:error|warning|notice)(?: [^:]{1,300})?::"
    r"|section_(?:start|end):\d+:[\w.-]{1,100}(?:\[[^\]]{1,60}\])?"
    r"|\[pod/[\w./-]{1,200}\] |\{[\w./-]{1,80}:\d{1,6}\}"
    r"|(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL) +\[[^\]]{1,240}\] "
    r"|(?!(?i:" + _LEVELS + r")[ |])[\w.-]{1,40} {0,20}\| "
    r"|#\d+ (?:\d+\.\d+ )?"
    r"|\d+(?:\.\d+)? ?m?s(?:ec)? \|"
    # A word is taken whole or not at all.
    r")(?!(?<=[A-Za-z0-9])[A-Za-z0-9])[\s:\-|]*"
)
_LOGFMT = re.compile(r'(?:^|\s)(?:msg|message)=("(?:[^"\\]|\\.){0,2000}"|\S{1,2000})')
_LOGFMT_ERROR = re.compile(r'\s(?:err|error|reason|cause)=("(?:[^"\\]|\\.){0,2000}"|\S{1,2000})')
_PART = r"\s\"'`()\[\]{}<>,;=|"
# A plain word stays as it is, unless it could be an id of letters alone: most tokens are one.
_TOKEN = re.compile(rf"(?<![^{_PART}])(?!(?![a-f]{{8}})[A-Za-z]+(?![^{_PART}]))[^{_PART}]+")
_WORD = re.compile(r"[A-Za-z0-9_#%-]+")
_NAMED_HOST = re.compile(
    r"\b(host(?: ?name)?|lookup|resolve)([ :=\"'(]{1,4})[\w-]{1,63}(?=[\s\"',:;)]|$)", re.IGNORECASE
)
_FROM_HOST = re.compile(
    r"\b(getaddrinfo for |r?host=|from (?=\S{1,80} \(|[\d.]{7,15}\b|(?:[\w-]+\.){1,6}[\w-]+ port))[\w.:-]{1,100}",
    re.IGNORECASE,
)
_PORT = re.compile(r":\d{1,5}$")
_HOST_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}")
_HOST_ENDINGS = words(
    ".com .net .org .io .dev .cloud .local .internal .lan .test .example .invalid .corp .svc .home .intra "
    ".de .fr .eu .uk .us .cn .jp .br .ru .in .ca .au .ch .nl .es .it .se .pl"
)
_VENDOR_CODE = re.compile(
    r"(?:[A-Z]{2,10}-\d{3,6}|(?:TS|CS|C|E|LNK|MSB|NU|CA|DPY|SQL)\d{3,5}[A-Z]?|\d{2}[A-Z][A-Z0-9]{2}|HTTP/\d(?:\.\d)?|GLIBC_[\d.]+):?"
)
_SHORT_NUMBER = re.compile(r"-?\d{1,5}[.:]?")
_CODE_WORDS = words("errno error err code status http http/1.1 http/2 sqlstate state rc returned signal msg")
_COUNTED = re.compile(r"(?<=\d) [a-z]{3,30}(?<=s)\b|(?<= 1) [a-z]{3,30}")
_REDACTED = re.compile(r"\[(REDACTED:[a-z_-]{1,40}):[0-9a-f]{4}\]")
_DIGIT = re.compile("[0-9]")
_RUNS = re.compile(r"<n>(?:[./:,+-]{0,2}<n>)+")
_DATE_WORDS = re.compile(
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? +(?:<n> +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\b"
)
_NAMED_USER = re.compile(
    r"\b(user|login|account|password for)([ =]{1,2}[\"']?)([A-Za-z0-9][\w.$-]{0,60})(?=[\s\"',:;@\])]|$)",
    re.IGNORECASE,
)
_NOT_USERS = words(
    "invalid name names is was has does not unknown does doesn id not-found must may cannot can and or in to the of"
)
_QUANTITY = re.compile(
    r"<n>(?: ?(?:[kmgtp]i?b(?:/s|ytes?)?|b/s|bytes?|b|ns|us|µs|ms|msecs?|millis(?:econds?)?|s|secs?|seconds?|mins?|m|minutes?|h|hrs?"
    r"|hours?|d|days?|%|percent)(?![\w<-]))",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"(<n> [a-z]{3,30}[^s\W])s\b")
_LIST = re.compile(r"(<n>|<host>|<url>)(?:(?: and|,)? \1)+")
_TEMPORARY = re.compile(
    r"((?:^|[\s\"'`=(:])(?:/private|/var)?/(?:tmp|temp|run/user|folders)/|[\\/](?:_temporary|Temp)[\\/])[^\s\"'`:,;)]+"
)
_VALUE = re.compile(
    r"\b((?:value|input|entry|string|literal|text|date|time|timestamp|number|integer|float|decimal|boolean|uuid|argument"
    r"|(?:for|of) type \w{1,40}|base 10)[ :=(]{1,3})([\"'`])[^\"'`]{0,200}\2",
    re.IGNORECASE,
)
_HEX = re.compile("[a-f]{8,}")
_SPACES = re.compile(r"\s+")
# The zero comes first in the pattern, so that it is searched for as fast as a plain text.
_LONE_ZERO = re.compile(r"0(?<![\d.,:/-]0)(?![\d.:/-])")
_ONES = bytes.maketrans(b"023456789\0", b"1111111110")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_ID = re.compile(
    r"(?<![^\s\"'`()\[\]{}<>,;=|])(?:[0a-f]{8}(?:-[0a-f]{4}){3}-[0a-f]{12}|[0a-f]{8,64})(?![^\s\"'`()\[\]{}<>,;=|])"
)
_HEX_GROUP = re.compile("[0a-f]+")


def strip_prefixes(line: str) -> str:
    """Return the line without the timestamps and container names that stand before the message."""
    for _ in range(4):
        prefix = _PREFIXES.match(line)
        if prefix is None or prefix.end() in (0, len(line)):
            break
        line = line[prefix.end() :]
    return _logfmt_message(line) if "msg=" in line or "message=" in line else line


def _logfmt_message(line: str) -> str:
    """Return the message and the error of a line of `key=value` pairs."""
    message = _LOGFMT.search(line)
    if message is None or ("=" not in line[: message.start()] and message.start() > 0):
        return line
    fault = _LOGFMT_ERROR.search(line)
    parts = [found[1].strip('"').replace('\\"', '"') for found in (message, fault) if found is not None]
    return ": ".join(part for part in parts if part)


def shape(line: str) -> str:
    """Return a cheap likeness of a line: the same text with every digit made a zero."""
    # Bytes are translated many times faster than text, and digits stay digits in UTF-8.
    return line.encode("utf-8", "surrogatepass").translate(_DIGITS).decode("utf-8", "surrogatepass")


def shapes(text: str) -> list[str]:
    """Return the likeness of each line for judging it: every digit is a one, but a zero that stands alone stays."""
    marked = _LONE_ZERO.sub("\0", text) if "0" in text else text
    return marked.encode("utf-8", "surrogatepass").translate(_ONES).decode("utf-8", "surrogatepass").split("\n")


def mask(line: str) -> str:
    """Return the template of a line."""
    line = line[:_LONGEST]
    known = _template_of_shape(shape(line))
    return _mask(line) if known is None else known


def _same_id(match: re.Match[str]) -> str:
    """Return one hexadecimal id for all of the same form: each is masked as a whole, whatever its letters are."""
    return _HEX_GROUP.sub(lambda part: part[0] if part[0].isdigit() else _like(part[0]), match[0])


def _like(part: str) -> str:
    return "0a" + "0" * (len(part) - 2) if "0" in part else part


@lru_cache(maxsize=4096)
def _template_of_shape(form: str) -> str | None:
    """Return the template that all lines of one shape share, or None where digits tell their templates apart.

    Jobs write the same lines night after night. No pattern here looks at what digit it meets, so once every digit of
    the likeness is masked, its template is that of each such line; a digit that was kept is part of a code.
    """
    alike = _ID.sub(_same_id, form)
    template = _mask(form) if alike == form else _template_of_shape(alike)
    return None if template is None or _DIGIT.search(template) else template


def _mask(line: str) -> str:
    line = strip_prefixes(line).strip()
    if "[REDACTED:" in line:
        line = _REDACTED.sub(r"[\1]", line)
    # Looking for a plain text first is many times faster than a pattern that does not match.
    lower = line.lower()
    if "tmp" in lower or "temp" in lower or "/folders" in lower or "/run/user" in lower:
        line = _TEMPORARY.sub(r"\1<n>", line)
    if '"' in line or "'" in line or "`" in line:
        line = _VALUE.sub(r"\1\2<n>\2", line)
    if "host" in lower or "lookup" in lower or "resolve" in lower:
        line = _NAMED_HOST.sub(r"\1\2<host>", line)
    if "user" in lower or "login" in lower or "account" in lower or "password for" in lower:
        line = _NAMED_USER.sub(lambda m: m[0] if m[3].lower() in _NOT_USERS else f"{m[1]}{m[2]}<user>", line)
    if "host=" in lower or "from " in lower or "getaddrinfo" in lower:
        line = _FROM_HOST.sub(r"\1<host>", line)
    line = _TOKEN.sub(_mask_token, line)
    if "<n>" in line:
        line = line.replace("<host> ()", "<host> (<host>)")  # no reverse name: the same message all the same
        line = _DATE_WORDS.sub("<time>", _RUNS.sub("<n>", line))
        line = _PLURAL.sub(r"\1", _QUANTITY.sub("<n>", line))
    if "> " in line:
        line = _LIST.sub(r"\1", line)
    # A blank is the only white space that can be printed.
    return line if line.isprintable() and "  " not in line else _SPACES.sub(" ", line)


def _mask_token(match: re.Match[str]) -> str:
    token = match[0]
    masked = _mask_alone(token) if len(token) <= _LONGEST_REMEMBERED else _mask_alone.__wrapped__(token)
    if masked is None:
        return token if _follows_code_word(match) else _WORD.sub(_mask_word, token)
    return masked


@lru_cache(maxsize=8192)
def _mask_alone(token: str) -> str | None:
    """Return what stands for a token, or None where that depends on what stands before it."""
    if token.isalpha():
        return "<n>" if len(token) >= 8 and _HEX.fullmatch(token) else token
    if "://" in token:
        return "<url>"
    if "@" in token[1:-1]:
        return "<address>"
    if _is_host(_PORT.sub("", token.rstrip(".:")), token) or ("/" in token and _is_name_and_address(token)):
        return "<host>"
    if not _DIGIT.search(token):
        return token
    if _VENDOR_CODE.fullmatch(token):
        return token
    return None if _SHORT_NUMBER.fullmatch(token) else _WORD.sub(_mask_word, token)


def _is_host(bare: str, token: str) -> bool:
    """Say whether a token is an address, or a name with a port or a well-known ending."""
    if "/" in bare or not bare:
        return False
    labels = bare.split(".")
    if len(labels) == 4 and all(label.isdigit() for label in labels):
        return True
    if bare.count(":") >= 3 and all(ch in "0123456789abcdefABCDEF:." for ch in bare):
        return True
    if bare.lower().endswith(_HOST_ENDINGS) and len(labels) > 1:
        return True
    # A long dotted name with a digit in it and no capital is a machine's name, not a class or a file.
    if len(labels) > 2 and labels[-1].isalpha() and bare.islower() and _DIGIT.search(bare) and "_" not in bare:
        return True
    return (
        len(bare) < len(token.rstrip(".:")) and bare.replace("-", "").replace(".", "").isalnum() and not bare.isdigit()
    )


def _is_name_and_address(token: str) -> bool:
    """Say whether this is a host as Java writes it: its name, a slash, its address."""
    name, _, address = token.rstrip(".:").partition("/")
    if not address or "/" in address or (name and not _HOST_NAME.fullmatch(name)):
        return False
    return (_is_host(_PORT.sub("", address), address) and not address[0].isalpha()) or address.count(":") >= 3


def _follows_code_word(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 16) : match.start()].rstrip(" :=#[(\"'").lower()
    if not before.endswith(_CODE_WORDS):
        return False
    # `error: 3 tests failed` counts something, `error: 28` and `error 1205` do not.
    return not (before.endswith(("error", "err")) and _COUNTED.match(match.string, match.end()))


def _mask_word(match: re.Match[str]) -> str:
    word = match[0]
    return "<n>" if _DIGIT.search(word) else word
