"""The names that make a secret of what stands behind them, in every spelling that programs use."""

# ruff: noqa: E501, S105  a pattern is read whole; names of secrets are none

from __future__ import annotations

_LONG = (
    r"(?:password|passwd|passphrase|passcode|passwort|kennwort|contrase[ñn]a|senha|mot[_ ]?de[_ ]?passe|wachtwoord|has[lł]o|"
    r"l[öo]senord|adgangskode|salasana|parola|psk|pre_?shared_?key|wpa_?(?:passphrase|key)|keyphrase)"
)
_KEY = (
    r"(?:api|app|application|access|account|private|shared(?:[_\-]?access)?|encryption|encrypt|decryption|signing|sign|"
    r"signature|master|license|licence|auth|authentication|client|consumer|storage|subscription|service|deploy|deployment|"
    r"registration|recovery|unseal|jwt|hmac|aes|cipher|crypto|join|function|functions|ingest|ingestion|integration|"
    r"instrumentation|write|admin|root|session|cookie|pass|rapidapi|stream|publish|bot|ssh_private|gpg_private|ssl_private|"
    r"vault|[a-z]*secret)"
)
_KEY_WORD = (
    rf"(?:secret|token|bearer|credentials?|creds?|{_KEY}[_\-]?keys?(?:[_\-]?(?:secret|data|base|base64|b64|pem))?|passkey|"
    r"client_?secret|webhook(?:_?ur[li])?|connection_?string|(?:sas|shared_?access)_?(?:token|signature|url|uri)|"
    r"client-key-data|x-functions-key|apikey|sig|otp|hmac|authorization|"
    r"jsessionid|phpsessid|asp\.net_sessionid|connect\.sid|_?authtoken|pat|jwt|dsn|magic_?link)"
)
SUFFIX = r"(?:[_\-.]?(?:confirm(?:ation)?|value|text|plain|raw|base|hex|old|new|again|repeat|repeated|default|prod|dev|test|staging|b64|base64)|[_\-.]?[0-9]{1,2}|\[[0-9]{1,3}\])?"
"""What may stand behind a name; `_file`, `_name`, `_type`, `_policy` and the like speak of something else."""
PREFIX = r"(?:[A-Za-z0-9][A-Za-z0-9_.\-]{0,60}[_.\-]|[a-z0-9]{0,30}|_{1,2})?"
"""A name may carry a prefix: DB_, spring.datasource., ansible_ssh_, dbUser."""
PASSWORD = rf"(?:{PREFIX}{_LONG}{SUFFIX})"
SHORT_PASSWORD = r"(?:(?:[A-Za-z0-9][A-Za-z0-9_.\-]{0,60}[_.\-])?(?:pass|pwd|pw|psw|pswd)[0-9]?)"
"""These are also parts of words (compass, bypass), so only a separator may stand before them."""
TOKEN = rf"(?:{PREFIX}{_KEY_WORD}{SUFFIX})"
LONG_WORDS = _LONG

PASSWORD_NAME = rf"(?i)(?:{PASSWORD}|{SHORT_PASSWORD}|(?:[a-z0-9]+_)?pin(?:_?code)?)"
TOKEN_NAME = rf"(?i){TOKEN}"

FOREIGN = r"(?:пароль|парола|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|mật khẩu|şifre|parolă|hasło|contraseña|lösenord|κωδικός|סיסמה|كلمة المرور|รหัสผ่าน)"
"""Words that do not begin or end with letters of ASCII, which RE2's word borders know nothing of."""
