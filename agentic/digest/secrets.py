"""The known forms of secrets, as one table that can be read and searched.

A row is a kind, an RE2 pattern whose group `s` is the secret itself, and how sure the form alone makes us:
a row with a `check` matches a place where a secret may stand, and the check looks at the value.
No pattern may match a line break, so that line numbers never move.
"""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentic.words import words

_LONG = r"(?:password|passwd|passphrase|passcode|passwort|kennwort|contrase[ñn]a|senha|mot_?de_?passe)"
_KEY_WORD = (
    r"(?:secret|token|bearer|credentials?|api_?keys?|[a-z]*secret_?(?:access_?)?key|access_?key(?:_?secret)?|"
    r"account_?key|private_?key|shared_?(?:access_?)?key|encryption_?key|signing_?key|master_?key|license_?key|"
    r"auth_?key|client_?secret|webhook(?:_?url)?|connection_?string|csrf_?token|x-api-key|api-key|"
    r"private-token|x-auth-token|x-vault-token|x-amz-security-token|sig|otp|hmac)"
)
# A name may carry a prefix (DB_, spring.datasource., ansible_ssh_) and a number behind it.
_PREFIX = r"(?:[A-Za-z0-9][A-Za-z0-9_.\-]{0,60}[_.\-]|[a-z0-9]{0,30})?"
# The short names are also parts of words (compass, bypass): they need a separator before them.
_PASSWORD = rf"(?:{_PREFIX}{_LONG}|(?:[A-Za-z0-9][A-Za-z0-9_.\-]{{0,60}}[_.\-])?(?:pass|pwd))[0-9]?"
_QUOTE = r"(?:\\*[\"'])"
_BARE = r"[^\s\"'\\;&<>|]"

PASSWORD_NAME = rf"(?i){_PASSWORD}"
TOKEN_NAME = rf"(?i){_PREFIX}{_KEY_WORD}[0-9]?"

_PLACEHOLDERS = frozenset(
    words(
        "yes no true false null none nil undefined empty unset set missing required optional incorrect "
        "invalid wrong expired expires revoked rejected accepted denied failed failure ok valid mismatch "
        "changed unchanged not found is was has for from with and or the a an on in of to at error unknown "
        "unauthorized forbidden unexpected authentication authorization auth password passwd token secret key "
        "credentials credential user username prompt string str int bool object bytes hidden masked redacted "
        "removed filtered omitted default anonymous refresh refreshed created deleted updated loaded reading "
        "read using used stdin file env environment"
    )
)


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for a secret without being one: masked, a variable, a status word."""
    bare = value.strip("\"'`.,;:!()[]{}<>*•")
    if not bare or bare.lower() in _PLACEHOLDERS or set(bare.lower()) <= {"x", "*", "#", "-", "."}:
        return True
    return value.startswith(("$", "%", "{{", "<", "[REDACTED", "***", "@", "env:", "file:", "vault:", "arn:"))


def looks_secret(value: str) -> bool:
    """Say whether a value has the irregular look of a key: long enough, letters mixed with digits."""
    if len(value) < 8 or is_placeholder(value) or value.startswith(("/", "./", "~/", "http://", "https://")):
        return False
    digits = sum(ch.isdigit() for ch in value)
    letters = sum(ch.isalpha() for ch in value)
    odd = len(value) - digits - letters
    if digits and letters:
        return len(set(value)) >= 6 and not _reads_like_a_name(value)
    mixed = value != value.lower() and value != value.upper() and value != value.capitalize()
    return bool(letters) and ((len(value) >= 20 and mixed) or (odd > 0 and mixed and len(set(value)) >= 8))


def _reads_like_a_name(value: str) -> bool:
    """Versions, dates, dotted names, and words with a number behind them are not keys."""
    if value.replace(".", "").replace("-", "").replace(":", "").isdigit():
        return True
    words = value.replace("_", "-").replace(".", "-").replace("/", "-").split("-")
    plain = sum(1 for w in words if w.isdigit() or (w.isalpha() and (w.islower() or w.isupper() or w.istitle())))
    if len(words) > 1 and plain == len(words):
        return True
    head = value.rstrip("0123456789")
    return len(words) == 1 and head.isalpha() and head.islower() and len(head) <= 12 and len(value) - len(head) <= 3


def is_password(value: str) -> bool:
    """Say whether the value behind a password's name is one; `PWD` also names the working folder."""
    return not is_placeholder(value) and not _is_path(value)


def _is_path(value: str) -> bool:
    if value[1:3] in (":\\", ":/") or value in ("/", "~"):
        return True
    return value.startswith(("/", "~/", "./", "../")) and (value.count("/") > 1 or value[1:].isalpha())


def is_lone_password(value: str) -> bool:
    """The same where prose could follow the name: a plain word of the language is not taken for a password."""
    return not is_placeholder(value) and len(value) >= 4


def is_lone_secret(value: str) -> bool:
    """Say whether the value of an environment variable named like a secret is one, letters only or not."""
    return len(value) >= 8 and not is_placeholder(value) and not _is_path(value) and "://" not in value


def is_card(value: str) -> bool:
    """Say whether digits form a payment card number: an issuer's prefix and the Luhn checksum."""
    digits = [int(ch) for ch in value if ch.isdigit()]
    if len(set(digits)) < 2:
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_header_secret(value: str) -> bool:
    """Tell `Basic dXNlcjpwYXNz` from `Basic authentication`."""
    return looks_secret(value) or (value.endswith("=") and len(value) >= 8 and not is_placeholder(value))


@dataclass(frozen=True, slots=True)
class SecretForm:
    """One form a secret takes: its kind, the pattern with the group `s`, and a look at the value."""

    kind: str
    pattern: str
    check: Callable[[str], bool] | None = None


def _forms(kind: str, *patterns: str) -> tuple[SecretForm, ...]:
    return tuple(SecretForm(kind, pattern) for pattern in patterns)


_TOKENS: tuple[SecretForm, ...] = (
    *_forms("aws_key", r"\b(?P<s>(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16})\b"),
    *_forms(
        "github_token",
        r"\b(?P<s>gh[oprsu]_[A-Za-z0-9]{30,255})\b",
        r"\b(?P<s>github_pat_[A-Za-z0-9_]{22,255})\b",
    ),
    *_forms(
        "gitlab_token",
        r"\b(?P<s>(?:gl(?:pat|dt|rt|ptt|ft|imt|agent|oas|cbt|soat|ffct)|GR1348941)[\-][A-Za-z0-9_\-.]{18,})",
    ),
    *_forms("bitbucket_token", r"\b(?P<s>AT(?:BB|ATT3|CTT3)[A-Za-z0-9_\-=]{24,})"),
    *_forms("slack_token", r"\b(?P<s>xox[abceoprs]-[A-Za-z0-9\-.]{10,})", r"\b(?P<s>xapp-[0-9]-[A-Za-z0-9\-]{10,})"),
    *_forms(
        "chat_webhook",
        r"(?i)https?://hooks\.[a-z0-9.\-]+/(?:services|workflows|triggers)/(?P<s>[A-Za-z0-9+/_\-]{16,})",
        r"(?i)discord(?:app)?\.com/api/webhooks/(?P<s>[0-9]+/[\w\-]{20,})",
        r"(?i)webhook\.office\.com/(?P<s>[^\s\"']{20,})",
        r"(?i)api\.telegram\.org/bot(?P<s>[0-9]{6,12}:[\w\-]{20,})",
    ),
    *_forms("telegram_token", r"\b(?P<s>[0-9]{8,10}:AA[A-Za-z0-9_\-]{32,34})\b"),
    *_forms("discord_token", r"\b(?P<s>[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40})\b"),
    *_forms(
        "google_key",
        r"\b(?P<s>AIza[0-9A-Za-z_\-]{30,40})",
        r"\b(?P<s>ya29\.[0-9A-Za-z_\-]{20,})",
        r"\b(?P<s>GOCSPX-[0-9A-Za-z_\-]{20,})",
        r"(?P<s>\b1//0[0-9A-Za-z_\-]{30,})",
    ),
    *_forms("azure_secret", r"\b(?P<s>[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34})\b"),
    *_forms("azure_sas", r"[?&]sig=(?P<s>[A-Za-z0-9%+/=]{20,})"),
    *_forms("aws_signature", r"(?i)X-Amz-(?:Signature|Security-Token|Credential)=(?P<s>[^\s&\"']{16,})"),
    *_forms("stripe_key", r"\b(?P<s>[sr]k_(?:live|test)_[0-9A-Za-z]{10,})\b", r"\b(?P<s>whsec_[0-9A-Za-z+/=]{16,})"),
    *_forms("twilio_key", r"\b(?P<s>(?:SK|AC)[0-9a-f]{32})\b"),
    *_forms("sendgrid_key", r"\b(?P<s>SG\.[\w\-]{16,}\.[\w\-]{16,})"),
    *_forms("mailgun_key", r"\b(?P<s>key-[0-9a-f]{32})\b"),
    *_forms(
        "package_token",
        r"\b(?P<s>npm_[A-Za-z0-9]{30,})\b",
        r"\b(?P<s>pypi-[A-Za-z0-9_\-]{40,})",
        r"\b(?P<s>rubygems_[0-9a-f]{40,})\b",
        r"\b(?P<s>dckr_[po]at_[\w\-]{20,})",
        r"\b(?P<s>oy2[a-z0-9]{43})\b",
        r"\b(?P<s>AKCp[A-Za-z0-9]{60,})\b",
    ),
    *_forms(
        "model_key",
        r"\b(?P<s>sk-(?:proj-|svcacct-|admin-|ant-|or-)?[A-Za-z0-9_\-]{20,})",
        r"\b(?P<s>hf_[A-Za-z0-9]{30,})\b",
        r"\b(?P<s>gsk_[A-Za-z0-9]{40,})\b",
    ),
    *_forms("databricks_token", r"\b(?P<s>dapi[0-9a-f]{32}(?:-[0-9])?)\b"),
    *_forms("vault_token", r"\b(?P<s>hv[bsr]\.[\w\-]{20,})", r"(?:^|[\s\"'=:])(?P<s>s\.[A-Za-z0-9]{24})\b"),
    *_forms("terraform_token", r"\b(?P<s>[A-Za-z0-9]{14}\.atlasv1\.[\w\-]{60,})"),
    *_forms(
        "service_token",
        r"\b(?P<s>do[opr]_v1_[0-9a-f]{64})\b",
        r"\b(?P<s>NRAK-[A-Z0-9]{27})\b",
        r"\b(?P<s>gl(?:c|sa)_[A-Za-z0-9+/=_]{30,})",
        r"\b(?P<s>shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32})\b",
        r"\b(?P<s>sq0[a-z]{3}-[\w\-]{22,})",
        r"\b(?P<s>lin_api_[A-Za-z0-9]{30,})\b",
        r"\b(?P<s>dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9.]{30,})",
        r"\b(?P<s>pul-[a-f0-9]{40})\b",
        r"\b(?P<s>sntr[ysu]_[A-Za-z0-9=+/_.]{30,})",
        r"\b(?P<s>sbp_[a-f0-9]{40})\b",
        r"\b(?P<s>pscale_(?:tkn|pw|oauth)_[\w\-.=]{30,})",
        r"\b(?P<s>fo1_[\w\-]{40,})",
        r"\b(?P<s>LTAI[A-Za-z0-9]{12,24})\b",
        r"\b(?P<s>AKID[A-Za-z0-9]{28,36})\b",
        r"\b(?P<s>PMAK-[a-f0-9]{24}-[a-f0-9]{34})\b",
        r"\b(?P<s>(?:AGE-SECRET-KEY-1)[0-9A-Z]{58})\b",
        r"\b(?P<s>EAACEdEose0cBA[0-9A-Za-z]+)\b",
    ),
    *_forms("jwt", r"\b(?P<s>eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*){0,3})"),
    *_forms(
        "password_hash",
        r"(?P<s>\$(?:2[abxy]|5|6|7|y|gy|apr1|argon2(?:id?|d)|pbkdf2[\w\-]*)\$[./A-Za-z0-9$=,+\-]{20,})",
    ),
    SecretForm(
        "card",
        r"(?:^|[^\w.\-])(?P<s>(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6011|65[0-9]{2}|35[0-9]{2})"
        r"(?:[ \-]?[0-9]{4}){3}|3[47][0-9]{2}[ \-]?[0-9]{6}[ \-]?[0-9]{5})(?:$|[^\w\-])",
        is_card,
    ),
)

_IN_CONTEXT: tuple[SecretForm, ...] = (
    SecretForm(
        "url_password", r"(?i)\b[a-z][a-z0-9+.\-]{1,30}://[^\s/:@\"'<>]{0,120}:(?P<s>[^\s/\"'<>]+)@", is_password
    ),
    SecretForm(
        "url_password",
        r"(?i)\b[a-z][a-z0-9+.\-]{1,30}://[^\s/:@\"'<>]{1,120}:(?P<s>[^\s@\"'<>]+)@[\w.\-]+[:/]",
        is_password,
    ),
    SecretForm("url_token", r"(?i)\bhttps?://(?P<s>[A-Za-z0-9_\-]{20,})@", looks_secret),
    SecretForm("dsn_password", r"\b[\w.\-]+:(?P<s>[^\s@/\"']+)@(?:tcp|udp|unix|cloudsql)\(", is_password),
    SecretForm("dsn_password", r"(?i)\bjdbc:oracle:\w+:[\w$#]+/(?P<s>[^\s@\"'/]+)@", is_password),
    SecretForm(
        "dsn_password",
        r"(?i)\b(?:sqlplus|rman(?: target)?|expdp|impdp|sqlldr|exp|imp)\s+(?:-\w+\s+)*[\w$#]+/(?P<s>[^\s@\"'/]+)(?:@|\s|$)",
        is_password,
    ),
    SecretForm(
        "authorization",
        rf"(?i)\bauthorization{_QUOTE}?[ \t]*[:=][ \t]*{_QUOTE}?(?:bearer|basic|digest|token|apikey|negotiate|aws4-hmac-sha256|bot|ntlm|splunk|key)[ \t]+(?P<s>[^\s\"'\\,]+)",
        is_password,
    ),
    SecretForm(
        "authorization", rf"(?i)\bauthorization{_QUOTE}?[ \t]*[:=][ \t]*{_QUOTE}?(?P<s>[^\s\"'\\,]+)", looks_secret
    ),
    SecretForm("authorization", r"(?i)\b(?:bearer|basic)[ \t]+(?P<s>[A-Za-z0-9._~+/\-]{8,}=*)", is_header_secret),
    SecretForm(
        "cookie", r"(?i)\b(?:set-)?cookie2?[\"']?[ \t]*:[ \t]*[\"']?(?P<s>[^\s\"'=;,]+=[^\r\n\"']+)", is_password
    ),
    SecretForm("password", rf"(?i)\b{_PASSWORD}[ \t]?(?:=>?|:=)[ \t]?(?P<s>{_BARE}+)", is_password),
    SecretForm(
        "password", rf"(?i)\b{_PASSWORD}\\*[\"']?[ \t]*(?::=|=>|[:=])[ \t]*\\*\"(?P<s>[^\"\r\n\\]+)", is_password
    ),
    SecretForm("password", rf"(?i)\b{_PASSWORD}\\*[\"']?[ \t]*(?::=|=>|[:=])[ \t]*\\*'(?P<s>[^'\r\n]+)'", is_password),
    SecretForm(
        "password",
        rf"(?im)^[ \t]*(?:-[ \t]+)?{_PREFIX}(?:{_LONG}|pwd)[0-9]?[ \t]*:[ \t]+(?P<s>{_BARE}+)[ \t]*$",
        is_lone_password,
    ),
    SecretForm("password", rf"(?i)\b{_PASSWORD}[ \t]*:[ \t]*(?P<s>{_BARE}+)", looks_secret),
    SecretForm(
        "password",
        r"(?i)\b(?:pass(?:word|wd|phrase)?)[ \t]+(?:is|was|set to)[ \t:]+[\"'`]?(?P<s>[^\s\"'`]+)",
        looks_secret,
    ),
    SecretForm("password", rf"(?i)<{_PREFIX}{_LONG}>(?P<s>[^<\s]+)</", is_password),
    SecretForm(
        "secret",
        rf"\b(?:[A-Z][A-Z0-9_]*)?(?:TOKEN|SECRET|(?:API|ACCESS|SECRET|PRIVATE|AUTH|SIGNING|MASTER)_?KEY)=[\"']?(?P<s>{_BARE}+)",
        is_lone_secret,
    ),
    SecretForm("password", r"(?i)\blogin[ \t]+\S+[ \t]+password[ \t]+(?P<s>\S+)", is_password),
    SecretForm(
        "password",
        r"(?i)\bidentified[ \t]+(?:with[ \t]+\S+[ \t]+)?by[ \t]+(?:password[ \t]+)?[\"'](?P<s>[^\"'\r\n]+)",
        is_password,
    ),
    SecretForm("password", r"(?i)\bpassword[ \t]+'(?P<s>[^'\r\n]+)'", is_password),
    SecretForm(
        "secret",
        rf"(?i)\b{_PREFIX}{_KEY_WORD}[0-9]?\\*[\"']?[ \t]*(?::=|=>|[:=])[ \t]*\\*\"(?P<s>[^\"\r\n\\]+)",
        looks_secret,
    ),
    SecretForm(
        "secret",
        rf"(?i)\b{_PREFIX}{_KEY_WORD}[0-9]?\\*[\"']?[ \t]*(?::=|=>|[:=])[ \t]*\\*'(?P<s>[^'\r\n]+)",
        looks_secret,
    ),
    SecretForm("secret", rf"(?i)\b{_PREFIX}{_KEY_WORD}[0-9]?[ \t]?(?::=|=>|[:=])[ \t]?(?P<s>{_BARE}+)", looks_secret),
    SecretForm(
        "flag",
        r"(?i)(?:^|[\s\"'\[])--?(?:[a-z0-9\-]+[\-_])?(?:password|passwd|passphrase|pass|pwd|passwort)[0-9]?[= \t][ \t]*[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
        is_password,
    ),
    SecretForm(
        "flag",
        r"(?i)(?:^|[\s\"'\[])--(?:[a-z0-9\-]+[\-_])?(?:token|secret|secret-key|api-?key|access-?key|auth|client-secret|credential)[= \t][ \t]*[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
        looks_secret,
    ),
    SecretForm(
        "flag",
        r"(?i)[\"']--?(?:[a-z0-9\-]+[\-_])?(?:password|passwd|passphrase|pass|pwd|token|secret|api-?key)[\"'],[ \t]*[\"'](?P<s>[^\"'\r\n]+)",
        is_password,
    ),
    SecretForm(
        "flag",
        r"\b(?:mysql(?:dump|admin|import|sh|check|binlog)?|mariadb(?:-dump|-admin)?|mydumper|myloader|xtrabackup)\b[^\r\n|;]{0,300}?[ \t]-p[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
        is_password,
    ),
    SecretForm("flag", r"\bsshpass[ \t]+(?:-v[ \t]+)?-p[ \t]*[\"']?(?P<s>[^\s\"']+)", is_password),
    SecretForm(
        "flag",
        r"\b(?:curl|wget|http)\b[^\r\n|;]{0,300}?[ \t](?:-u|--user|--proxy-user|-a)[ \t=]*[\"']?[^\s:\"']+:(?P<s>[^\s\"']+)",
        is_password,
    ),
    SecretForm(
        "flag",
        r"\b(?:docker|podman|helm|az|oc|skopeo|buildah|crane|oras)\b[^\r\n|;]{0,120}?login[^\r\n|;]{0,200}?[ \t]-p[ \t]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
        is_password,
    ),
    SecretForm("flag", r"\bredis-cli\b[^\r\n|;]{0,200}?[ \t]-a[ \t]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)", is_password),
    SecretForm(
        "flag",
        r"\bldap(?:search|modify|add|delete|whoami|passwd)\b[^\r\n|;]{0,300}?[ \t]-w[ \t]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
        is_password,
    ),
    SecretForm("flag", r"\bsmbclient\b[^\r\n|;]{0,300}?[ \t]-U[ \t]*[\"']?[^\s%\"']+%(?P<s>[^\s\"']+)", is_password),
    SecretForm(
        "flag",
        r"(?i)(?:^|[\s\"'])-(?:storepass|keypass|deststorepass|srcstorepass|passin|passout|k)[ \t]+(?:pass:)?[\"']?(?P<s>[^\s\"'\-][^\s\"']{3,})",
        looks_secret,
    ),
    SecretForm("flag", r"(?i)\bpass:(?P<s>[^\s\"']{4,})", looks_secret),
)

FORMS: tuple[SecretForm, ...] = (*_TOKENS, *_IN_CONTEXT)
