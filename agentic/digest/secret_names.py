"""The names that make a secret of what stands behind them, in every spelling that programs use."""

# ruff: noqa: E501, S105  a pattern is read whole; names of secrets are none

from __future__ import annotations

_LONG = (
    r"(?:pass[ _\-]?(?:word|phrase|code)|passwd|p/w|passwort|kennwort|contrase[ñn]a|senha|mot[_ ]?de[_ ]?passe|wachtwoord|has[lł]o|"
    r"l[öo]senord(?:et)?|adgangskode|salasana|parola|psk|pre_?shared_?key|wpa_?(?:passphrase|key)|keyphrase)"
)
_KEY = (
    r"(?:api|app|application|access|account|private|shared(?:[_\-]?access)?|encryption|encrypt|decryption|signing|sign|"
    r"signature|master|license|licence|auth|authentication|client|consumer|storage|subscription|service|deploy|deployment|"
    r"registration|recovery|unseal|jwt|hmac|aes|cipher|crypto|join|function|functions|ingest|ingestion|integration|"
    r"instrumentation|write|admin|root|session|cookie|pass|rapidapi|stream|publish|bot|ssh_private|gpg_private|ssl_private|"
    r"vault|fernet|[a-z]*secret)"
)
_SHORT_WORD = r"(?:sig|otp|hmac|pat|jwt|dsn|creds)"
_KEY_WORD = (
    rf"(?:secret|token|bearer|credentials?|{_KEY}[._\-]?keys?(?:[_\-]?(?:secret|data|base|base64|b64|pem))?|passkey|"
    r"client_?secret|secret_?id|webhook(?:_?ur[li])?|connection_?string|(?:sas|shared_?access)_?(?:token|signature|url|uri)|"
    r"client-key-data|x-functions-key|apikey|authorization|"
    r"jsessionid|phpsessid|asp\.net_sessionid|connect\.sid|_?authtoken|magic_?link)"
)
SUFFIX = r"(?:[_\-.]?(?:confirm(?:ation)?|value|text|plain|raw|base|hex|old|new|again|repeat|repeated|default|prod|dev|test|staging|b64|base64|s)|[_\-.]?[0-9]{1,2}|\[[0-9]{1,3}\])?"
"""What may stand behind a name; `_file`, `_name`, `_type`, `_policy` and the like speak of something else."""
PREFIX = r"[\w.\-]*"
"""A name may carry a prefix: DB_, spring.datasource., ansible_ssh_, dbUser; a search need not look at it."""
PASSWORD = rf"(?:{_LONG}{SUFFIX})"
SHORT_PASSWORD = (
    r"(?:(?:^|[^A-Za-z0-9]|\\[nrt])(?:pass|pwd|pw|psw|pswd)[0-9]?|(?-i:[a-z](?:Pass|Pwd|Pw|PASS|PWD)[0-9]?))"
)
"""These are also parts of words (compass, bypass), so a separator or a change of case must stand before them."""
TOKEN = rf"(?:(?:{_KEY_WORD}|(?:^|[^A-Za-z0-9]){_SHORT_WORD}){SUFFIX})"
LONG_WORDS = _LONG

PASSWORD_NAME = rf"(?i)(?:{PREFIX}{PASSWORD}|(?:{PREFIX}[_.\-])?(?:pass|pwd|pw|psw|pswd)[0-9]?|(?-i:{PREFIX}[a-z](?:Pass|Pwd|Pw))|(?:[a-z0-9]+_)?pin(?:_?code)?)"
TOKEN_NAME = rf"(?i)(?:{PREFIX}{_KEY_WORD}|(?:{PREFIX}[_.\-])?{_SHORT_WORD}){SUFFIX}"

FOREIGN = r"(?:пароль|парола|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|mật khẩu|şifre|parolă|hasło|contraseña|lösenord|κωδικός|סיסמה|كلمة المرور|รหัสผ่าน)"
"""Words that do not begin or end with letters of ASCII, which RE2's word borders know nothing of."""

PASSWORD_HINT = r"(?i)pass|pwd|psw|pw[\s\"'0-9:=\]\\%&)\-]|p/w|kennwort|contrase|senha|mot[ _]?de|wachtwoord|has[lł]o|l[öo]senord|adgangs|salasana|parola|psk|shared_?key|wpa_?key|keyphrase|credential|masterauth|root_?pw|bind_?pw|community"
TOKEN_HINT = rf"(?i){_KEY_WORD}|(?:^|[^A-Za-z0-9]){_SHORT_WORD}|[ _\-]key|apikey|cookie value|community string"
"""What a line must have for the patterns of these names to be tried on it."""
