"""Is what stands in the place of a secret really one? Status words, variables, paths and names are not.

Every check takes the value with what stands before and after it on its line (some of it), and says whether the value
is to be hidden.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re

from agentic.words import words

_PLACEHOLDERS = frozenset(
    words(
        "yes no true false null none nil undefined empty unset set missing required optional incorrect "
        "invalid wrong expired expires revoked rejected accepted denied failed failure ok valid mismatch "
        "changed unchanged not found is was has for from with and or the a an on in of to at error unknown "
        "unauthorized forbidden unexpected authentication authorization auth password passwd token secret key "
        "credentials credential user username prompt string str int bool object bytes hidden masked redacted "
        "removed filtered omitted default anonymous refresh refreshed created deleted updated loaded reading "
        "read using used stdin file env environment blank absent optional mandatory provided present unspecified "
        "protected sensitive confidential redacted suppressed scrubbed obfuscated number boolean text varchar "
        "function undefined nan n/a na tbd todo changeme-not-set disabled enabled"
    )
)
_STATUS = frozenset(
    words(
        "weak strong short long bad good fine same different similar identical old new here there now never always "
        "secure insecure safe unsafe plain plaintext encrypted hashed stale correct too very only also still just "
        "already again being been about almost currently probably likely this that these those it its must should "
        "may might can cannot could will would shall never needed necessary supported unsupported allowed case "
        "sensitive both either neither what when where why how stored saved kept sent passed given checked verified "
        "leaked exposed compromised reset locked temporary permanent available unavailable ready outdated deprecated "
        "longer shorter larger smaller greater less more fewer equal blank visible invisible accept reject exist "
        "exists ascii base64 utf-8 utf8 hex sha256 sha512 md5 bcrypt argon2 scrypt pbkdf2 plugin method field form "
        "file manager policy hash salt length history age input output login logout attempt retry retrying prompt "
        "falsch ungültig abgelaufen leer incorrecte incorrecta inválida expirado expirada requis erforderlich "
        "something nothing anything someone nobody something went success succeeded successful successfully "
        "database server client account admin administrator root host service connection database's entry value "
        "malformed rotated blocked due unless until because before after while if else then than as by per via"
    )
)
_WORD_ENDINGS = (
    "ed",
    "ing",
    "ble",
    "ory",
    "ary",
    "ent",
    "ant",
    "ive",
    "ity",
    "ally",
    "ful",
    "less",
    "ous",
    "tion",
    "ized",
)
_TECHNICAL = re.compile(
    r"(?i)[0-9]+(?:[.,][0-9]+)?(?:st|nd|rd|th|[smhd]|ms|us|ns|min|sec|chars?|characters|days?|hours?|bytes?|bits?|x|"
    r"[kmgt]i?b|%)?|"
    r"(?:sha|md|utf|base|aes|rsa|v|ver|http|https|tls|tlsv|ssl|sslv|ipv|ed|oauth|win|x|arm|i|rfc|python|py|pbkdf|argon|"
    r"scram-sha|des|ecdsa|pkcs|krb|ntlmv|saml|log4j|s3|ec|k8s|l|p|q|h|node|host|db|web|line|step|row|col|page|part|test|"
    r"user|attempt|try|version|level|type|rev|build|err|ora|sqlstate)[-_.]?v?[0-9][0-9.\-]{0,8}[a-z]?(?:-[a-z]{2,8})?"
)
_MASKED = frozenset("x*#-._•●?…")
_REFERENCES = (
    "$",
    "%",
    "{{",
    "<",
    "[REDACTED",
    "***",
    "@",
    "env:",
    "file:",
    "vault:",
    "arn:",
    "ref+",
    "op://",
    "!",
    "&",
)
_SPECIAL = frozenset("!@#$%^&*+=?~§€£|")
_FINGERPRINT = ("SHA256:", "MD5:", "sha256:", "sha1:", "sha512:", "md5:", "sha256-", "sha512-", "sha384-", "sha1-")
_CAMEL = re.compile(r"[A-Z]?[a-z]+(?:[A-Z][a-z]+)+")
_QUOTES = "\"'`“”‘’«»"
_EDGES = "\"'`.,;:!()[]{}<>*•“”‘’«»"
_END_OF_SENTENCE = re.compile(r"[\"'`]?[.,;)\]}!]*(?:\s*$|[.,;)!]\s)")


_CODE = re.compile(
    r"[A-Za-z_]+(?:\.[A-Za-z_]+)*\(.*|"
    r"(?:self|this|os|sys|env|environ|config|conf|cfg|settings|args|opts|options|params?|props|process|request|req|ctx|"
    r"context|System|data|var|local|module|secrets|credentials?|each|each\.value|inputs|github|vars)\.[\w.\[\]\"']+|"
    r"pw|pwd|(?i:[a-z_.]*[_.](?:password|passwd|pass|pwd|token|secret|key|passphrase))"
)
"""How a program names its password instead of saying it."""


_MASK = re.compile(
    r"[\[<({*]{1,3}(?:masked|filtered|redacted|hidden|secret|removed|omitted|sanitized|scrubbed|protected|obfuscated"
    r"|concealed|censored|suppressed)(?:[ _-]\w+)*[\]>)}*]{1,3}",
    re.IGNORECASE,
)
"""What another program has put in the place of a secret, whatever follows."""


def is_placeholder(value: str, before: str = "", after: str = "") -> bool:
    """Say whether a value stands for a secret without being one: masked, a variable, a status word, code."""
    if _MASK.match(value):
        return True
    bare = value.strip(_EDGES)
    if not bare or bare.lower() in _PLACEHOLDERS or set(bare.lower()) <= _MASKED:
        return True
    if _CODE.fullmatch(value):
        return True
    return value.startswith(_REFERENCES) and not (value[0] in "$%@!&<" and _strong(value))


def _strong(value: str) -> bool:
    """Tell a password that begins with `$` or `!` from a variable or tag."""
    if value.startswith(("${", "$(", "$env:", "%(", "%{", "<%", "%s", "!!", "!Ref", "!vault", "!Sub", "$$")):
        return False
    if value[0] == "<":
        return not value.endswith(">") and _is_mixed(value)
    if value[0] == "%":
        return not value.endswith("%") and _is_mixed(value)
    name = value[1:].strip(_EDGES)
    return _is_mixed(name) and not name.replace("_", "").isalnum()


def _is_mixed(value: str) -> bool:
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


_CLASS = re.compile(r"\(?[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)+\.[A-Z][A-Za-z]+\)?")
"""The full name of a class, as Java's loggers print it."""


def looks_secret(value: str, before: str = "", after: str = "") -> bool:
    """Say whether a value has the irregular look of a key: long enough, letters mixed with digits."""
    value = value.rstrip(":,;")
    if len(value) < 8 or is_placeholder(value) or _is_address_or_path(value) or _CLASS.fullmatch(value):
        return False
    if value.startswith(_FINGERPRINT) or _of_a_page(before):
        return False
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    odd = len(value) - digits - letters
    if digits and letters:
        return len(set(value)) >= 6 and not _reads_like_a_name(value)
    mixed = value != value.lower() and value != value.upper() and value != value.capitalize()
    if mixed and _CAMEL.fullmatch(value) and len(value) < 40:
        return False
    return bool(letters) and ((len(value) >= 20 and mixed) or (odd > 0 and mixed and len(set(value)) >= 8))


_PAGE = re.compile(
    r"(?i):[0-9]{12}:secret:$|(?:page|next|continuation|sync|cursor|resume|pagination|idempotency|unexpected|dedup\w*|cancellation|invalidation)[\s_\-]?(?:token|key)[\"']?[\s:=\"']*$"
)


def _of_a_page(before: str) -> bool:
    """Tokens that only say where a listing or a parser stands open nothing."""
    return _PAGE.search(before[-40:]) is not None


def _reads_like_a_name(value: str) -> bool:
    """Versions, dates, dotted names, and words with a number behind them are not keys."""
    if value.replace(".", "").replace("-", "").replace(":", "").isdigit():
        return True
    parts = re.split(r"[-_./:]", value)
    plain = sum(
        1 for w in parts if w.isdigit() or not w or (w.isalpha() and (w.islower() or w.isupper() or w.istitle()))
    )
    if len(parts) > 1 and plain == len(parts):
        return True
    head = value.rstrip("0123456789")
    return len(parts) == 1 and head.isalpha() and head.islower() and len(head) <= 12 and len(value) - len(head) <= 3


def is_password(value: str, before: str = "", after: str = "") -> bool:
    """Say whether the value behind a password's name is one; `PWD` also names the working folder."""
    if value.isdigit() and len(value) < 4:  # `pass=3 fail=0` counts, `has_password=1` is a switch
        return False
    return not is_placeholder(value) and not _is_path(value)


def is_short_name_password(value: str, before: str = "", after: str = "") -> bool:
    """The same behind `pass` and `pw`, which also count tests and name doors."""
    return is_password(value) and not value.isdigit() and value.lower() not in _STATUS


def _is_path(value: str) -> bool:
    if value[1:3] in (":\\", ":/") or value in ("/", "~") or value.startswith(("./", "../", "~/")):
        return True
    return value.startswith("/") and (value.count("/") > 1 or value[1:].isalpha())


def _is_address_or_path(value: str) -> bool:
    return value.startswith(("/", "./", "~/", "../", "http://", "https://", "s3://", "gs://")) or "://" in value


def is_lone_password(value: str, before: str = "", after: str = "") -> bool:
    """The same where prose could follow the name: a plain word of the language is not taken for a password."""
    return not is_placeholder(value) and len(value) >= 4 and value.strip(_EDGES).lower() not in _STATUS


def is_flag_password(value: str, before: str = "", after: str = "") -> bool:
    """The same behind an option, of which a manual may speak."""
    return is_password(value) and value.strip(_EDGES).lower() not in _STATUS


def is_loose_key(value: str, before: str = "", after: str = "") -> bool:
    """Say whether a word after `token` or `api key` is one, where the name of a thing could stand as well."""
    return looks_secret(value, before) and looks_random(value) and re.match(r"[a-z]{2,}[-.]", value) is None


def is_lone_secret(value: str, before: str = "", after: str = "") -> bool:
    """Say whether the value of an environment variable named like a secret is one, letters only or not."""
    return len(value) >= 8 and not is_placeholder(value) and not _is_path(value) and "://" not in value


def is_one_word_secret(value: str, before: str = "", after: str = "") -> bool:
    """The same behind `client_secret` and its like, where `db-credentials` would name a thing."""
    return looks_secret(value, before) or (
        is_lone_secret(value) and value.isalnum() and not value.isdigit() and not _CAMEL.fullmatch(value)
        and value.lower() not in _STATUS
    )  # fmt: skip


def is_said_password(value: str, before: str = "", after: str = "") -> bool:
    """Say whether a word of a sentence is a password: it must not look like a word, unless it ends the sentence."""
    core = value.strip(_EDGES)
    if len(core) < 4 or is_placeholder(core) or core.lower() in _STATUS:
        return False
    if _is_path(core) or "://" in core or core.startswith(_FINGERPRINT):
        return False
    quoted = before[-1:] in _QUOTES and before[-1:] != "" and (value[-1:] in _QUOTES or after[:1] in _QUOTES)
    if quoted:
        return True
    if _TECHNICAL.fullmatch(core):
        return core.isdigit() and 4 <= len(core) <= 12 and after[:1] not in ("%", ".")
    if _is_mixed(core):
        return _is_leet(core) or ("(" not in core and not _reads_like_a_name(core))
    if any(ch in _SPECIAL for ch in core[1:-1]) and core[0] not in "-=":
        return True
    return (
        core != core.lower()
        and core != core.upper()
        and core != core.title()
        and not _CAMEL.fullmatch(core)
        and core.isalpha()
    )


def is_bare_password(value: str, before: str = "", after: str = "") -> bool:
    """The same right behind the word, without any `is`: letters and digits have to be mixed."""
    return is_said_password(value, before, after) and _is_mixed(value.strip(_EDGES))


def _is_leet(core: str) -> bool:
    """`hunter2` is written like a name with a number; short ones without separators are taken for passwords."""
    return core.isalnum() and 5 <= len(core) <= 16


def is_told_password(value: str, before: str = "", after: str = "") -> bool:
    """The same behind `password is`: there a plain word at the end of the sentence is one, too."""
    if is_said_password(value, before, after):
        return True
    core = value.strip(_EDGES)
    if len(core) < 6 or not core.isalpha() or not core.islower() or is_placeholder(core) or core in _STATUS:
        return False
    ended = value[-1:] in ".,;!)" or _END_OF_SENTENCE.match(after) is not None
    return ended and not core.endswith(_WORD_ENDINGS)


def is_header_secret(value: str, before: str = "", after: str = "") -> bool:
    """Tell `Basic dXNlcjpwYXNz` from `Basic authentication`."""
    return looks_secret(value) or (value.endswith("=") and len(value) >= 8 and not is_placeholder(value))


def is_basic_pair(value: str, before: str = "", after: str = "") -> bool:
    """Say whether a value is `user:password` in base64, as `auth` of a Docker configuration is."""
    try:
        text = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in text[1:-1] and text.isprintable()


def is_url_password(value: str, before: str = "", after: str = "") -> bool:
    """Tell `user:password@` from a port and a path with an `@` in it."""
    port, slash, _ = value.partition("/")
    return is_password(value) and not (slash and port.isdigit())


_ID_LIKE = re.compile(
    r"(?i)(?:\b|_)(?:[a-z]*id|uuid|guid|seq\w*|offset|ts|time\w*|epoch|order|txn?|transaction|blk|block|job|run|pid|request|"
    r"req|trace|span|session|part|partition|key|inode|version|rev|build|serial|isbn|imei|lsn|xid|checksum|crc|hash|size|"
    r"length|bytes|count|total|number of|rows?|records?|nonce|counter|position|pos|line|address|addr|ticket|invoice|"
    r"reference|ref|sku|msg|message|event|batch|snapshot|generation|watermark|cursor|token|zxid|commit|tag|port|at|took)"
    r"[\"']?[\s:=#\[()\"']{0,4}$"
)
_CARD_LIKE = re.compile(
    r"(?i)(?:card|pan|cc|credit|debit|payment|visa|master|amex|acct|account|charge|paid|pay)[\w \-.#:=\"']{0,24}$"
)
_NAMED = re.compile(r"[\w.\-]+[\"']?[ \t]*[:=][ \t]*[\"']?$")
_UNITS = re.compile(r"(?i)[\s\"']{0,2}(?:bytes|b|[kmg]i?b|rows?|records?|[mun]?s|messages?|events?|ticks|cycles)\b")


def is_card(value: str, before: str = "", after: str = "") -> bool:
    """Say whether digits form a payment card number: in its groups, not an id, and with Luhn's checksum."""
    digits = [int(ch) for ch in value if ch.isdigit()]
    if len(set(digits)) < 2 or not _luhn(digits):
        return False
    if _UNITS.match(after):
        return False
    if _CARD_LIKE.search(before):
        return True
    if not value.isdigit():
        return True  # written in a card's groups
    return _ID_LIKE.search(before) is None and _NAMED.search(before) is None


def _luhn(digits: list[int]) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_iban(value: str, before: str = "", after: str = "") -> bool:
    """Say whether this is an account number: its check digits tell it from all else that looks like one."""
    plain = value.replace(" ", "")
    if not 15 <= len(plain) <= 34 or len(set(plain[4:])) < 3:
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def looks_random(value: str, before: str = "", after: str = "") -> bool:
    """Say whether letters and digits are mixed as chance mixes them, not as people name things."""
    core = re.split(r"[-_.:]", value)[-1] if len(value) > 30 else value
    changes = sum(1 for a, b in itertools.pairwise(core) if a.isdigit() != b.isdigit())
    return changes >= 2 and not _reads_like_a_name(value)
