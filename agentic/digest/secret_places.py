"""Places where a secret stands: behind a name, in a URL, a header, a command line or a sentence."""

# ruff: noqa: E501, S105  a pattern is read whole; names of secrets are none

from __future__ import annotations

from dataclasses import replace

from agentic.digest.secret_names import (
    FOREIGN,
    LONG_WORDS,
    PASSWORD,
    PASSWORD_HINT,
    PREFIX,
    SHORT_PASSWORD,
    SUFFIX,
    TOKEN,
    TOKEN_HINT,
)
from agentic.digest.secret_positions import POSITIONS
from agentic.digest.secret_tokens import Check, SecretForm, form
from agentic.digest.secret_values import (
    is_bare_password,
    is_basic_pair,
    is_flag_password,
    is_header_secret,
    is_lone_password,
    is_lone_secret,
    is_loose_key,
    is_one_word_secret,
    is_password,
    is_said_password,
    is_short_name_password,
    is_told_password,
    is_url_password,
    looks_secret,
)

_Q = r"(?:\\*[\"'`])"
_BARE = r"[^\s\"'\\;&<>|]"
_NEW = r"(?:[^\s\"'\\;&<>|$%*\[{@]|[$%@\[*{][^\s\"'\\;&<>|{(\[R*%])"
"""How a password begins, not a variable, a mark or a row of stars; what a pattern rules out need not be looked at."""
_GIVES = r"[ \t]*(?:::?=|=>|->|[:=])[ \t]*"
_WORD = r"(?:\b|\\[nrt])"
"""Where a word begins, also after `\\n` written out."""
_TOOL = r"[^\r\n|;]*?[ \t]"
"""The rest of a tool's arguments, up to an option of it; not beyond its command."""
_VALUE = r"[\"']?(?P<s>[^\s\"'\-][^\s\"']*)"


def _rows(kind: str, check: Check | None, *patterns: str, hint: str = "") -> tuple[SecretForm, ...]:
    return tuple(form(kind, check, pattern, hint=hint) for pattern in patterns)


def _under(hint: str, *rows: tuple[SecretForm, ...]) -> tuple[SecretForm, ...]:
    """Return rows together, with a hint for those that have none of their own."""
    return tuple(row if row.hint else replace(row, hint=hint) for group in rows for row in group)


def _named(kind: str, name: str, quoted: Check, bare: Check, least: str = "+") -> tuple[SecretForm, ...]:
    """Return the rows of values behind a name: in either quotes, or bare; `$'…'` and `\\"…\\"` count as quotes."""
    gives = rf"{_Q}?\]?{_GIVES}[$@bru]?\\*"
    rest = _BARE + least if least != "+" else _NEW + _BARE + "*"
    return (
        *_rows(kind, quoted, rf"(?i){name}{gives}\"(?P<s>(?:[^\"\r\n\\]|\\[^nrt\"\r\n]){least})"),
        *_rows(kind, quoted, rf"(?i){name}{gives}'(?P<s>[^'\r\n]{least})"),
        *_rows(kind, quoted, rf"(?i){name}{_GIVES}`(?P<s>[^`\r\n]{least})`"),
        *_rows(kind, bare, rf"(?i){name}[ \t]?(?:::?=|=>|=)[ \t]?(?P<s>{rest})"),
    )


_URLS = _under(
    r"://",
    _rows(
        "url_password",
        is_url_password,
        r"://[^\s/:@\"'<>]*:(?P<s>[^\s/\"'<>]+)@",
        r"://[^\s/:@\"'<>]*:(?P<s>[^\s@\"'<>]+)@[\w.\-\[]+[:/?]",
        r"(?i):%2F%2F¦[^\s/:@\"'<>%]*(?::|%3A)(?P<s>[^\s/\"'<>]+?)(?:@|%40)",
    ),
    _rows("url_token", looks_secret, r"(?i)\bhttps?://(?P<s>[A-Za-z0-9_\-]{20,})(?::x-oauth-basic|:)?@"),
    _rows("url_token", looks_secret, r"(?i)\bhttps?://(?P<s>[0-9a-f]{32})@[\w.\-]+/[0-9]+"),
    _rows(
        "dsn_password",
        is_password,
        r"@(?:tcp|udp|unix|cloudsql)\(¦¦\b[\w.\-]+:(?P<s>[^\s/\"']+)@(?:tcp|udp|unix|cloudsql)\(",
        r"(?i)jdbc:oracle:¦\w+:[\w$#]+/(?P<s>[^\s@\"'/]+)@",
        r"(?i)\b(?:sqlplus|rman(?: target)?|expdp|impdp|sqlldr|exp|imp)\s¦\s*(?:-\w+\s+)*[\"']?[\w$#]+/(?P<s>[^\s@\"'/]+)(?:@|\s|$|[\"'])",
    ),
    _rows(
        "dsn_password",
        is_said_password,
        r":[^\s/:@\"']+@¦¦(?:^|[\s\"'=(])[\w.\-]+:(?P<s>[^\s/:@\"']{4,})@[A-Za-z0-9.\-]+(?::[0-9]{2,5}|/[A-Za-z])",
        r":(?:\*|5[34][0-9][0-9]|6432|1521|3306|[0-9]{5}):¦¦(?:^|[\s\"'])(?:\*|localhost|[0-9.]{7,15}|[a-z][\w\-]*(?:\.[\w\-]+)*):(?:\*|5[34][0-9]{2}|6432|1521|3306|[0-9]{5}):[\w\-*]+:[\w.\-*]+:(?P<s>[^\s:\"']+)",
    ),
)  # fmt: skip

_HEADERS = _under(
    r"(?i)authorization",
    _rows(
        "authorization",
        is_password,
        rf"(?i){_WORD}authorization{_Q}?[ \t]*[:=][ \t]*{_Q}?(?:bearer|basic|token|apikey|api-?key|negotiate|bot|ntlm|splunk|key|ssws|genie-?key|sharedkey(?:lite)?|hawk|oauth|aws|jwt|discogs|pve\w+|klaviyo-api-key|deepl-auth-key|zoho-oauthtoken)[ \t:=]+(?P<s>[^\s\"'\\,]+)",
    ),
    _rows(
        "authorization",
        looks_secret,
        rf"(?i){_WORD}authorization{_Q}?[ \t]*[:=][ \t]*{_Q}?(?P<s>[^\s\"'\\,]+)",
        rf"(?i){_WORD}authorization{_Q}?[ \t]*[:=][ \t]*{_Q}?[A-Za-z][\w\-]{{1,30}}[ \t]+(?P<s>[^\s\"'\\,]+)",
        rf"(?i){_WORD}authorization\b[^\r\n]*?[ \t,](?:signature|response|oauth_signature|mac)=\"?(?P<s>[A-Za-z0-9+/=%_\-]{{16,}})",
    ),
    _rows("authorization", is_header_secret, r"(?i)\b(?:bearer|basic)¦(?:[ \t]+|%20|\+)[\"']?(?P<s>[A-Za-z0-9._~+/\-]{8,}=*)"),
    _rows(
        "cookie",
        is_password,
        r"(?i)cookie2?¦[\"']?[ \t]*[:=][ \t]*\\*[\"']?(?P<s>[^\s\"'=;,:]+=[^\r\n\"'\\]+)",
        r"(?i)sessi?o?n?_?id|phpsessid|\.sid=|_session=|csrftoken|xsrf-token|remember_token|wordpress_|__(?:host|secure)-¦¦(?i)\b(?:jsessionid|phpsessid|asp\.net_sessionid|connect\.sid|laravel_session|ci_session|_session_id|sessionid|csrftoken|xsrf-token|remember_token|wordpress_logged_in\w*|wordpress_sec\w*|__(?:host|secure)-[\w.\-]+)=(?P<s>[^\s\"'&;,<>]{8,})",
        r"<Cookie ¦[^\s=]+=(?P<s>\S+) for ",
    ),
    _rows("cookie", looks_secret, r"(?i)\b(?:sid|sess|session|session_?token|auth|jwt|remember)=¦(?P<s>[^\s\"'&;,<>]{16,});[ \t]*(?:path|domain|expires|httponly|secure|max-age|samesite)"),
    _rows("header", looks_secret, r"(?i)\bx-[a-z\-]*(?:key|token|secret|auth|signature|sig|password)¦[\"']?[ \t]*[:=][ \t]*[\"']?(?P<s>[^\s\"'\\,;]{8,})"),
    _rows("header", looks_secret, r"(?i)\b(?:dd-(?:api|application)|ocp-apim-subscription|api|app|access|auth)-key¦[\"']?[ \t]*[:=][ \t]*[\"']?(?P<s>[^\s\"'\\,;]{8,})"),
)  # fmt: skip

_NAMED = _under(
    PASSWORD_HINT,
    _named("password", PASSWORD, is_password, is_password),
    _named("password", SHORT_PASSWORD, is_password, is_short_name_password),
    _rows(
        "password",
        is_lone_password,
        rf"(?im)^[ \t]*(?:-[ \t]+)?{PREFIX}(?:{LONG_WORDS}{SUFFIX}|pwd|pw)[0-9]?[ \t]*:[ \t]+(?P<s>{_BARE}+)[ \t]*\r?$",
    ),
    _rows("password", is_said_password, rf"(?i)(?:{PASSWORD}|{SHORT_PASSWORD}){_Q}?[ \t]*:[ \t]*(?P<s>{_BARE}{{4,}})"),
    _rows("password", is_lone_password, rf"(?i)(?:{PASSWORD}|{SHORT_PASSWORD})[ \t]*:[ \t]*(?P<s>[^\s\"'\\;&<>|,]+)[,;}})]"),
    _rows("password", is_password, rf"(?i){PASSWORD}{_Q}?[ \t]*=[ \t]*\"[^\"\r\n]*\"[ \t]*->[ \t]*\"(?P<s>[^\"\r\n]+)\"", rf"(?i){PASSWORD}(?:%3D|%3A|%22%3A%22|%22%3A%20%22)(?P<s>[^\s&%\"']+)", rf"(?i){PASSWORD}&(?:quot|#34|#39);[ \t]*[:=][ \t]*&(?:quot|#34|#39);(?P<s>[^&<\s]+)"),
    _rows("secret", looks_secret, rf"(?i){TOKEN}(?:%3D|%3A|%22%3A%22)(?P<s>[^\s&%\"']{{8,}})", rf"(?i){TOKEN}&(?:quot|#34|#39);[ \t]*[:=][ \t]*&(?:quot|#34|#39);(?P<s>[^&<\s]{{8,}})", r"fs\.azure\.account\.key¦¦(?i)\bfs\.azure\.account\.key\.[\w.\-]+[= \t]+(?P<s>[A-Za-z0-9+/]{20,}={0,2})", hint=TOKEN_HINT),
    _rows("password", None, rf"(?i)\b(?:{PASSWORD}|pin(?:_?code)?|otp|cvv2?|cvc){_Q}[ \t]*:[ \t]*(?P<s>[0-9]{{4,}}(?:\.[0-9]+)?)\b", hint=r"(?i)(?:pass|pwd|psk|pin|otp|cv[vc]|wort)[a-z0-9_]*[\"']"),
    _rows("password", is_told_password, rf"(?i){FOREIGN}¦[\"']?[ \t]*(?:[:=：]|=>|是|为|は|это)[ \t]*[\"'「]?(?P<s>[^\s\"'」,;]+)"),
    _rows("password", is_password, rf"(?i)<(?:entry|property|param|string|setting|value|add|item|env|field|input)\b[^<>]*?(?:key|name|id)=[\"']{PREFIX}(?:{LONG_WORDS}|pwd|pass){SUFFIX}[\"'][^<>]*>(?P<s>[^<\s]+)</", rf"(?i)<(?:[a-z0-9]+:)?{PREFIX}(?:{LONG_WORDS}|pwd|pass){SUFFIX}(?:[ \t][^<>]{{0,200}})?>(?P<s>[^<\s]+)</", rf"(?i)<{PREFIX}(?:{LONG_WORDS}|pwd)[^<>]*[ \t]value=\"(?P<s>[^\"]+)\""),
    _rows("password", is_password, rf"(?i)(?:name|key|id)[\"']?[ \t]*[:=][ \t]*\\*[\"']{PREFIX}(?:{LONG_WORDS}|pwd){SUFFIX}\\*[\"'],?[ \t]*[\"']?(?:value|val|default)[\"']?[ \t]*[:=][ \t]*\\*[\"']?(?P<s>[^\"'\r\n\\,}}]+)"),
    _rows("secret", looks_secret, rf"(?i)(?:name|key|id)[\"']?[ \t]*[:=][ \t]*\\*[\"']{PREFIX}{TOKEN}\\*[\"'],?[ \t]*[\"']?(?:value|val|default)[\"']?[ \t]*[:=][ \t]*\\*[\"']?(?P<s>[^\"'\r\n\\,}}]+)", hint=TOKEN_HINT),
    _rows("password", is_password, rf"(?i){_Q}{PREFIX}{PASSWORD}{_Q}[ \t]*,[ \t]*[bru]?\\*[\"'](?P<s>[^\"'\r\n\\]+)\\*[\"'][ \t]*[)\]]"),
    _rows("secret", is_lone_secret, rf"\b(?:[A-Z][A-Z0-9_]*)?(?:TOKEN|SECRET|SECRET_KEY_BASE|(?:API|ACCESS|SECRET|PRIVATE|AUTH|SIGNING|MASTER|ENCRYPTION|JWT|LICENSE)_?KEY)=[\"']?(?P<s>{_BARE}+)", hint=TOKEN_HINT),
    *(_under(TOKEN_HINT, _named("secret", TOKEN, looks_secret, looks_secret, "{8,}")),),
    _rows("secret", is_one_word_secret, rf"(?i)(?:client|api|app|consumer|jwt|oauth|auth|session|cookie|signing|webhook|shared)[_\-]?secret(?:[_\-]?key)?{_Q}?{_GIVES}\\*[\"']?(?P<s>{_BARE}+)", hint=TOKEN_HINT),
    _rows("secret", looks_secret, rf"(?i){TOKEN}{_Q}?[ \t]*:[ \t]*(?P<s>{_BARE}{{8,}})", rf"(?i)<{PREFIX}{TOKEN}(?:[ \t][^<>]{{0,200}})?>(?P<s>[^<\s]+)</", hint=TOKEN_HINT),
    _rows("secret", is_basic_pair, r"(?i)auth\\*[\"']?[ \t]*[:=]¦¦(?i)\b_?auth\\*[\"']?[ \t]*[:=][ \t]*\\*[\"']?(?P<s>[A-Za-z0-9+/]{8,}={0,2})"),
    _rows("secret", None, r"(?i)mnemonic|(?:seed|recovery|secret)[ _]phrase¦¦(?i)\b(?:mnemonic|(?:seed|recovery|secret)[ _]phrase)[\"']?[ \t]*(?:[:=]|is)[ \t]*[\"']?(?P<s>[a-z]{3,8}(?: [a-z]{3,8}){11,23})\b"),
)  # fmt: skip

_SAID = r"(?:[ \t]+(?:for|of|to|from|on)[ \t]+(?:(?:the|user|account|database|db|host|role|login)[ \t]+)*[\"'`]?[\w.@\-]+[\"'`]?)?"
_VERB = r"(?:[ \t]*(?:[:=]|->|=>|→|⇒|は)|[ \t]+(?:is|was|were|are|will be|has been|becomes?|became|remains|equals|ist|war|lautet|es|era|est|var|är|jest|è|é|ê|is het|to|set|reset|changed|updated|rotated|now|is now|set to|reads|provided|supplied|given|received|used|sent|value|created|generated|issued|below|follows))+(?:[ \t]+(?:now|set to|set as|changed to|reset to|still|simply|just|currently|value|as|to))*"
_SECRET_NOUN = r"(?:(?:api|access|secret|auth(?:entication|orization)?|private|signing|encryption|session|refresh|client|bearer|bot|personal access|deploy|service account|sas|oauth2?|id|csrf|device|push|registration|join)[ _\-]?)?(?:token|secret|(?:api|access|secret|auth|private|signing|encryption|client|account|license|deploy|admin|aes|master|storage|subscription|ingest|write|service|hmac|jwt|session|recovery|shared|pre-shared)[ _\-]?key|apikey|cookie value|community string)"

_SENTENCES = _under(
    PASSWORD_HINT,
    _rows(
        "password",
        is_told_password,
        rf"(?i)\b(?:{LONG_WORDS}|pwd|passwords?|pw|credentials?){_SAID}{_VERB}[ \t:]+[\"'`“„«]?(?P<s>[^\s\"'`”“»]+)",
    ),
    _rows(
        "password",
        is_said_password,
        rf"(?i)\b(?:with|using|and|new|old|temporary|temp|initial|default|generated|current|his|her|my|your|root|admin|user|the|master|sudo|one-time|mit|con|avec|w/|/)[ \t]+(?:{LONG_WORDS}|pwd|pass|pw)[ \t]+[\"'`“„]?(?P<s>[^\s\"'`”]+)",
        r"(?i)\b(?:credentials?|creds|log(?:ged)?[ \-]?in(?:[ \t]+(?:as|with|using))?|auth(?:enticated|enticating)?(?:[ \t]+(?:as|with))?|user(?:name)?[:/ ]+pass(?:word|wd)?|username and password|userpass|sign(?:ed)? in as)[ \t]*[:=(]*[ \t]*[\"'`(]?[A-Za-z][\w.@\-]*[ \t]?[:/][ \t]?¦¦(?i)\b(?:credentials?|creds|log(?:ged)?[ \-]?in(?:[ \t]+(?:as|with|using))?|auth(?:enticated|enticating)?(?:[ \t]+(?:as|with))?|user(?:name)?[:/ ]+pass(?:word|wd)?|username and password|userpass|sign(?:ed)? in as)[ \t]*[:=(]*[ \t]*[\"'`(]?[A-Za-z][\w.@\-]*[ \t]?[:/][ \t]?(?P<s>[^\s\"'`)/:,]+)",
        rf"(?i)\b(?:user|login|username|uid|account)[ \t:=]+[\"']?[\w.@\-]+[\"']?[ \t,;/]+(?:and[ \t]+)?(?:{LONG_WORDS}|pwd|pass|pw)[ \t]+[\"'`]?(?P<s>[^\s\"'`]+)",
    ),
    _rows("password", is_said_password, r"(?i)\b(?:temporary|temp|initial|default|generated|one-time|random)[ \t]+password\b[^\r\n:=]{0,80}[:=][ \t]*[\"'`]?(?P<s>[^\s\"'`]+)"),
    _rows("secret", is_loose_key, rf"(?i)\b{_SECRET_NOUN}[ \t]+[\"'`“(<\[]?(?P<s>[A-Za-z0-9+/_\-.~=]{{16,}})", hint=TOKEN_HINT),
    _rows(
        "password",
        is_bare_password,
        rf"(?i)(?:(?:{LONG_WORDS})|bind_?pw|root_?pw|requirepass|masterauth|auth-pass[ \t]+\S+|community string)[ \t]+[\"'`(\[]?(?P<s>[^\s\"'`)\]]+)",
        rf"(?i)\b(?:{LONG_WORDS}|pwd|passw?)[ \t]?(?:\[(?P<s>[^\]\s]{{4,}})\])",
        rf"(?i)\b(?:{LONG_WORDS}|pwd)[ \t]?\((?P<s>[^)\s]{{4,}})\)",
        rf"(?i)\b(?:{LONG_WORDS})[ \t]*[|,][ \t]*[\"']?(?P<s>[^|\s,)\"']{{4,}})",
        r"(?im)(?:^[ \t]*[>*]|\bFTP:|\b[CS]:|-->|\\n)[ \t]*PASS[ \t]+(?P<s>[^\s/._\\]+)",
        r"[ \t]>¦¦(?im)^[ \t]*user[ \t]+\S+[ \t][^\r\n]*[ \t]>(?P<s>\S+)",
        r"(?i)\bconn(?:ect(?:ing)?)?(?:[ \t]+(?:as|to))?[ \t]+[\w$#]+/¦¦(?i)\bconn(?:ect(?:ing)?)?(?:[ \t]+(?:as|to))?[ \t]+[\w$#]+/(?P<s>[^\s@/]+)(?:@|[ \t]*$)",
        r"\bssh-keygen\b¦[^\r\n|;]*?[ \t]-[NP][ \t]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
    ),
    _rows("password", is_password, rf"\b(?:ENV|ARG)[ \t]+[\w]*(?i:{LONG_WORDS}|pass|pwd)[ \t]+[\"']?(?P<s>[^\s\"'=]+)", r"\bREDISCLI_AUTH=¦[\"']?(?P<s>[^\s\"']+)"),
    _rows("password", is_password, r"(?i)\blogin[ \t]+\S+[ \t]+password[ \t]+(?P<s>\S+)", r"(?im)^[ \t]*password[ \t]+(?P<s>\S+[0-9!@#$%^*]\S*)[ \t]*$"),
    _rows("password", is_password, r"(?i)(?:auth|login|credentials?|usernamepassword\w*)[ \t]*(?:[=:][ \t]*)?\(¦¦(?i)\b(?:auth|basicauth|httpbasicauth|login|credentials?|httpdigestauth|usernamepassword\w*)[ \t]*(?:[=:][ \t]*)?\([ \t]*[bru]?[\"'][^\"']*[\"'],[ \t]*[bru]?[\"'](?P<s>[^\"']+)[\"']"),
    _rows("password", is_password, r"(?i)\bidentified[ \t]¦+(?:with[ \t]+\S+[ \t]+)?(?:by|as)[ \t]+(?:password[ \t]+)?[\"'](?P<s>[^\"'\r\n]+)", r"(?i)\bpassword(?:[ \t]+|[ \t]*\([ \t]*)'(?P<s>[^'\r\n]+)'", r"(?i)\bidentified[ \t]¦+by[ \t]+(?P<s>[\w$#]+)(?:[ \t;]|$)"),
    _rows("pin", None, r"(?i)\b(?:pin(?:[ _]?code)?|otp(?:[ _]?code)?|totp|one[- ]time (?:code|password|passcode)|(?:verification|security|auth(?:entication|orization)?|mfa|2fa|sms|login|access|confirmation)[ _]code|cvv2?|cvc|tan)[\"']?(?:[ \t]+for[ \t]+[\w.@\-]+)?(?:[ \t]*[:=#]|[ \t]+(?:is|was|code|number))+[ \t]*[\"']?(?P<s>[0-9]{4,10})\b", r"(?i)\b(?:your|the|with|using|and)[ \t]+(?:(?:\w+[ \t]+)?code[ \t]+is|pin)[ \t]+(?P<s>[0-9]{4,8})\b", r"(?i)\bcv[vc]2?[\"']?[ \t]*[:= ][ \t]*[\"']?(?P<s>[0-9]{3,4})\b", hint=r"(?i)\bpin|otp|[ _]code|time pass|cv[vc]|\btan\b"),
    _rows("secret", looks_secret, rf"(?i)\b{_SECRET_NOUN}{_SAID}{_VERB}[ \t:]+[\"'`“(]?(?P<s>[^\s\"'`”),;]+)", hint=TOKEN_HINT),
    _rows("secret", is_loose_key, rf"(?i)\b(?:with|using|and|new|old|generated|current|my|your|the|got|received|invalid|expired|revoked|bad|issued|sent|send|sending|created|found|leaked|fetched|rejected|unknown)[ \t]+{_SECRET_NOUN}[ \t]+[\"'`“(<\[]?(?P<s>[A-Za-z0-9+/_\-.~=]{{12,}})", hint=TOKEN_HINT),
)  # fmt: skip

_OPTION = r"(?i)-[a-z0-9\-_]*(?:pass|pwd|psk|token|secret|key|auth|credential|license|bearer|-k )|/(?:pass|pwd)"
_TOOLS = (
    r"\b(?:mysql|mariadb|mydumper|myloader|xtrabackup|pt-|sshpass|mongo|snowsql|twine|curl|https? |wget|redis-|valkey-|xh |"
    r"restic|lftp|hurl|aria2c|docker|podman|nerdctl|helm|az |oc |skopeo|buildah|crane|oras|regctl|cf |ibmcloud|argocd|npm |"
    r"jfrog|jf |cqlsh|clickhouse|rabbitmqadmin|influx|couchbase|tabcmd|airflow|keydb|memtier|ldap|slappasswd|samba-tool|"
    r"rpcclient|wbinfo|smbclient|net |mount\.cifs|wmiexec|sqlcmd|bcp|isql|tsql|osql|fisql|freebcp|vsql|db2|impala-shell|"
    r"exaplus|hdbsql|winexe|xfreerdp|rdesktop|vncviewer|7z|rar |unrar|zip|unzip|htpasswd|wpa_passphrase|echo |vault|tailscale|"
    r"ngrok|cloudflared|wandb|huggingface-cli|aws |gh |snyk|sentry-cli|stripe|fly|heroku|wrangler|railway|vercel|netlify|"
    r"http[\"'])"
)
"""Programs whose command lines may hold a password."""

_FLAGS = _under(
    _TOOLS,
    _rows(
        "flag",
        is_flag_password,
        rf"{_OPTION}¦¦" r"(?i)(?:^|[\s\"'\[`(])(?:--?|/)(?:[a-z0-9\-]*[\-_])?(?:password|passwd|passphrase|pass|pwd|passwort|http-password|ftp-password|new-password|userpass|psk)[0-9]?(?:[ \t]+|=)\\*[\"']?(?P<s>[^\s\"'\-\\][^\s\"'\\]*)",
        rf"{_OPTION}¦¦" r"(?i)(?:^|[\s\"'\[`(])(?:--?)(?:[a-z0-9\-]*[\-_])?(?:password|passwd|passphrase|pass|pwd)(?:[ \t]+|=)\"(?P<s>[^\"\r\n]+)\"",
        rf"{_OPTION}¦¦" r"(?i)(?:^|[\s\"'\[`(])(?:--?)(?:[a-z0-9\-]*[\-_])?(?:password|passwd|passphrase|pass|pwd)(?:[ \t]+|=)'(?P<s>[^'\r\n]+)'",
        rf"{_OPTION}¦¦" r"(?i)[\"']--?(?:[a-z0-9\-]*[\-_])?(?:password|passwd|passphrase|pass|pwd|token|secret|api-?key)[\"'],[ \t]*[\"'](?P<s>[^\"'\r\n]+)",
        r"(?i)\s/(?:pass|password|pwd|p|rp)[:=]¦(?P<s>[^\s\"']+)",
    ),
    _rows("flag", looks_secret, rf"{_OPTION}¦¦" r"(?i)(?:^|[\s\"'\[`(])--(?:[a-z0-9\-]*[\-_])?(?:token|secret|secret-key|api-?key|access-?key|account-?key|auth|auth-?key|authkey|client-secret|credential|oauth2-bearer|license|registration-token|secret-id|sas-token|certificate-key)(?:[ \t]+|=)\\*[\"']?(?P<s>[^\s\"'\-\\][^\s\"'\\]*)"),
    _rows(
        "flag",
        is_password,
        rf"\b(?:mysql(?:dump|admin|import|sh|check|binlog|slap|_upgrade)?|mariadb(?:-dump|-admin|-backup)?|mydumper|myloader|xtrabackup|pt-[\w\-]+)\b{_TOOL}-p{_VALUE}",
        r"\b(?:mysql|mariadb)[\w\-]*[\"'],[^\r\n]*?[\"']-p(?P<s>[^\s\"',]+)[\"']",
        r"\b(?:sshpass|mongo\w*|snowsql|twine)[\"'],[^\r\n]*?[\"']-p[\"'],[ \t]*[\"'](?P<s>[^\"'\r\n]+)[\"']",
        r"[\"']login[\"'],¦[^\r\n]*?[\"']-p[\"'],[ \t]*[\"'](?P<s>[^\"'\r\n]+)[\"']",
        r"\b(?:curl|http)[\"'],[^\r\n]*?[\"'](?:-u|--user|-a)[\"'],[ \t]*[\"'][^\"':]+:(?P<s>[^\"'\r\n]+)[\"']",
        r"\b(?:redis-cli|valkey-cli)[\"'],[^\r\n]*?[\"']-a[\"'],[ \t]*[\"'](?P<s>[^\"'\r\n]+)[\"']",
        r"\bsshpass[ \t]+(?:-v[ \t]+)?-p[ \t]*[\"']?(?P<s>[^\s\"']+)",
        r"\b(?:curl|wget|http|https|xh|restic|lftp|hurl|aria2c)\b[^\r\n|;]*?[ \t\"'](?:-[a-zA-Z]*u|--user|--proxy-user|-a|--auth|-U)[\"',]?[ \t=]*[\"']?[^\s:,\"'/\-][^\s:,\"'/]*[:,](?P<s>[^\s\"'/]+)",
        rf"\b(?:docker|podman|nerdctl|helm|az|oc|skopeo|buildah|crane|oras|regctl|cf|ibmcloud|argocd|npm)\b[^\r\n|;]*?login{_TOOL}-p[ \t]+{_VALUE}",
        rf"\b(?:twine|jfrog|jf|snowsql|mongo(?:sh|dump|restore|import|export|stat)?|cqlsh|clickhouse(?:-client)?|rabbitmqadmin|influx|couchbase-cli|tabcmd|airflow)\b{_TOOL}-p[ \t]+{_VALUE}",
        rf"\b(?:redis-cli|valkey-cli|keydb-cli|memtier_benchmark|redis-benchmark)\b{_TOOL}(?:-a|--pass)[ \t]+{_VALUE}",
        rf"\b(?:ldap(?:search|modify|add|delete|whoami|passwd|compare)|slappasswd|samba-tool|rpcclient|wbinfo)\b{_TOOL}-[ws][ \t]+{_VALUE}",
        r"\b(?:smbclient|rpcclient|net|mount\.cifs|wmiexec\S*)\b[^\r\n|;]*?[ \t]-U[ \t]*[\"']?[^\s%\"']+%(?P<s>[^\s\"']+)",
        rf"\b(?:sqlcmd|bcp|isql|tsql|osql|fisql|freebcp|vsql|db2[\w]*|impala-shell|exaplus|hdbsql|winexe|xfreerdp|rdesktop|vncviewer)\b{_TOOL}(?:-P|-p|/p:)[ \t]*{_VALUE}",
        rf"\b(?:7za?|7zz|rar|unrar)\b{_TOOL}-(?:h?p){_VALUE}",
        rf"\b(?:zip|unzip)\b{_TOOL}-P[ \t]*{_VALUE}",
        r"\bhtpasswd[ \t]+-\w*b\w*[ \t]+\S+[ \t]+\S+[ \t]+[\"']?(?P<s>[^\s\"']+)",
        r"\bnet[ \t]+use[ \t]+(?:[A-Za-z*]:?[ \t]+)?\\\\\S+[ \t]+(?P<s>[^\s/][^\s]*)",
        r"\bnet[ \t]+user[ \t]+\S+[ \t]+(?P<s>[^\s/][^\s]*)[ \t]+/add",
        r"\bwpa_passphrase[ \t]+\S+[ \t]+[\"']?(?P<s>[^\s\"']+)",
        r"\becho[ \t]+(?:-n[ \t]+)?[\"']?(?P<s>[^\s\"'|:$]+)[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+-S|passwd[ \t]+--stdin|docker[ \t]+login|podman[ \t]+login|helm[ \t]+registry|gpg|su\b|kinit|cryptsetup|openssl|gh[ \t]+auth|vault[ \t]+login|npm[ \t]+login)",
        r"\becho[ \t]+(?:-n[ \t]+)?[\"']?[\w.\-]+:(?P<s>[^\s\"'|]+)[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?chpasswd",
        r"--from-literal¦[= \t][\"']?[\w.\-]+=(?P<s>[^\s\"']+)",
        r"\bvault[ \t]+(?:kv[ \t]+put|write)[ \t]+\S+[ \t]+\w+=(?P<s>[^\s@][^\s]*)",
    ),
    _rows(
        "flag",
        looks_secret,
        r"\b(?:vault[ \t]+login|vault[ \t]+operator[ \t]+unseal|tailscale[ \t]+up[^\r\n]*?--auth-?key|ngrok[ \t]+(?:config[ \t]+add-)?authtoken|cloudflared[^\r\n]*?--token|wandb[ \t]+login|huggingface-cli[ \t]+login[^\r\n]*?--token|npm[ \t]+config[ \t]+set[ \t]+\S*_authToken|aws[ \t]+configure[ \t]+set[ \t]+\S+|gh[ \t]+secret[ \t]+set[ \t]+\S+[ \t]+(?:-b|--body)|snyk[ \t]+auth|sentry-cli[^\r\n]*?--auth-token|stripe[^\r\n]*?--api-key)[ \t=]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
        rf"{_OPTION}¦¦" r"(?i)(?:^|[\s\"'])-(?:storepass|keypass|deststorepass|srcstorepass|destkeypass|srckeypass|passin|passout|k|password)[ \t]+(?:pass:)?[\"']?(?P<s>[^\s\"'\-][^\s\"']{3,})",
        r"(?i)\bpass:¦(?P<s>[^\s\"']{4,})",
        r"(?i)\b(?:fly|flyctl|heroku|wrangler|railway|vercel|netlify)\b[^\r\n|;]*?(?:secrets?|config|env)[: \t]set[ \t]+\w+=[\"']?(?P<s>[^\s\"']+)",
    ),
    _rows("flag", is_password, rf"{_OPTION}¦¦" r"(?i)(?:^|[\s\"'])-(?:storepass|keypass|deststorepass|srcstorepass|destkeypass|srckeypass)[ \t]+(?:pass:)?[\"']?(?P<s>[^\s\"'\-][^\s\"']{3,})", r"(?i)-pass(?:in|out)?[ \t]+pass:¦(?P<s>[^\s\"']+)"),
)  # fmt: skip

PLACES: tuple[SecretForm, ...] = (*POSITIONS, *_URLS, *_HEADERS, *_NAMED, *_SENTENCES, *_FLAGS)
