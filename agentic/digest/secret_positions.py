"""Passwords that only their position tells: the third word of `user NAME PASS`, what stands behind a slash or a comma."""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

from agentic.digest.secret_tokens import SecretForm, form
from agentic.digest.secret_values import is_password, is_said_password

_ORACLE = r"(?:sqlplus\w*|sqlcl|sql|rman|expdp|impdp|exp|imp|sqlldr|dgmgrl|adrci|tkprof|dbca|wrap)"
_TOLD = (
    # Scripts of ftp and lftp. Alone on its line the third word has to look like a password: `user anna disconnected`.
    r"(?i)user[ \t]¦¦(?im)^[ \t]*(?:\+ )?user[ \t]+[\w.@\\\-]+[ \t]+[\"']?(?P<s>[^\s\"';]+)[\"']?;?[ \t]*\r?$",
    r"(?i)\bisql[ \t]¦¦(?i)\bisql[ \t]+[\w.]+[ \t]+[\w.]+[ \t]+(?P<s>[^\s\-]\S*)",
    r"(?i)\bquote[ \t]+pass[ \t]¦+(?P<s>\S+)",
)
_SAID = (
    r"ftp\S*>|ftp \S*:\S*>|ftp -e |\blftp ¦¦(?i)\b\w*ftp\b[^\r\n>]*?(?:>|-e[ \t]+[\"'])[ \t]*(?:[^;\r\n\"']+;[ \t]*)*user[ \t]+[\w.@\\\-]+[ \t]+[\"']?(?P<s>[^\s\"';]+)",
    r"(?i)\bopen[ \t]+-u[ \t]¦+[\"']?[\w.@\\\-]+,(?P<s>[^\s\"';]+)",
    rf"/\\*\"¦¦(?i)\b{_ORACLE}\b[^\r\n|;]*?[ \t='\"][\w$#]+/\\*\"(?P<s>[^\"\r\n\\]+)\\*\"",
    r"(?i)/\\*\"[^\"\r\n]+\"@¦¦(?i)(?:^|[\s='\"])[\w$#]+/\\*\"(?P<s>[^\"\r\n\\]+)\\*\"@",
    r"(?i)userid=¦[\"']?[\w$#]+/(?P<s>[^\s@\"'/]+)",
    rf"(?i)\b{_ORACLE}\b[^\r\n|;]*?[ \t]¦¦(?i)\b{_ORACLE}[ \t]+(?:[^\s/]+[ \t]+)*[\"']?[\w$#]+/(?P<s>[^\s@\"'/]+)@",
    r"(?i)\.logon[ \t]¦+[\w.\-]+/[\w.\-]+,(?P<s>[^\s;\"']+)",
    r"(?i)\bncftp\w*[ \t]¦[^\r\n|;]*?-p[ \t]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
    r"(?i)\b(?:pscp|plink|psftp|puttygen)(?:\.exe)?[ \t]¦[^\r\n|;]*?-pw[ \t]+[\"']?(?P<s>[^\s\"'\-][^\s\"']*)",
    r"(?i)\bsmbclient[ \t]¦+[\"']?(?://|\\\\)\S+[ \t]+(?P<s>[^\s\-]\S*)[ \t]+-",
    r"(?i)\bdb2[ \t]¦+[\"']?connect to \w+ user \w+ using[ \t]+(?P<s>[^\s\"';]+)",
    r"(?i)\brclone obscure[ \t]¦+[\"']?(?P<s>[^\s\"'$\-][^\s\"']*)",
    r"<<<¦¦\b(?:kinit|passwd|sudo|su|ssh-add|gpg|openssl|cryptsetup|docker login)\b[^\r\n]*<<<[ \t]*[\"']?(?P<s>[^\s\"'$]+)",
    r"(?i)\b(?:sqlcmd|bcp|osql|isql|tsql)[ \t]¦[^\r\n|;]*?-P[ \t]*\"(?P<s>[^\"\r\n]+)\"",
    r"\b(?:mysql|mariadb)[\w\-]*[ \t]¦[^\r\n|;]*?-p(?:'(?P<s>[^'\r\n]+)')",
    # `set -x` writes quotes around a whole word, so around the option that the password is glued to as well.
    r"\b(?:mysql|mariadb|mydumper|myloader|xtrabackup|sshpass|7z|7za|7zr|rar|unrar|zip|unzip)[\w\-]*[ \t]¦[^\r\n|;]*?[ \t]'-[pP](?P<s>[^'\r\n]+)'",
    r"\bldap[a-z]+[ \t]¦[^\r\n|;]*?[ \t]'-w(?P<s>[^'\r\n]+)'",
)
_V = r"[\"']?(?P<s>[^\s\"'\-$][^\s\"']*)"
_ARGS = r"[^\r\n|;]*?[ \t]"
_OF_WHOM = (
    r"SSH|DB|LDAP|SMTP|IMAP|S?FTP|MAIL|PG|SQL|MYSQL|ROOT|ADMIN|USER|SUDO|VNC|RPC|MQ|AMQP|REDIS|MONGO|KEY|STORE|TRUST|BIND|SVN|GIT"
    r"|APP|AUTH|BACKUP|PROXY|HTTP|NEO4J|MY|IPMI|BMC|ORACLE|ORA|DBA|SA|ELASTIC|KAFKA|WIN|SMB|CIFS|NAS|RDP|VPN|WIFI|CERT|P12|PFX|JKS|ZIP"
)
_COMMANDS = (
    rf"PASS=¦¦\b(?:[A-Z0-9]+_)*(?:{_OF_WHOM})PASS=[\"']?(?P<s>[^\s\"';&|]+)",
    rf"(?i)\b(?:ps(?:exec|service|kill|info|shutdown)|paexec|netexec|nxc|crackmapexec|cme)(?:64)?(?:\.exe)?[ \t]¦{_ARGS}-p[ \t]+{_V}",
    rf"\bipmi\w+[ \t]¦{_ARGS}-[Pp][ \t]+{_V}",
    rf"\bsnmp¦[a-z]+[ \t]{_ARGS}-A[ \t]+{_V}",
    rf"\bsnmp¦[a-z]+[ \t]{_ARGS}-X[ \t]+{_V}",
    rf"\bnodetool[ \t]¦{_ARGS}-pw[ \t]+{_V}",
    rf"\bbeeline[ \t]¦{_ARGS}-p[ \t]+{_V}",
    rf"\brabbitmqctl[ \t]¦(?:{_ARGS})?(?:add_user|change_password|authenticate_user)[ \t]+\S+[ \t]+{_V}",
    rf"http-basic\.¦\S+[ \t]+\S+[ \t]+{_V}",
    r"\bbundler?[ \t]+config[ \t]¦[^\r\n|;]*?[\w.\-]+:(?P<s>[^\s\"'/]+)$",
    rf"\bsecurity[ \t]+(?:unlock|create)-keychain[ \t]¦(?:{_ARGS})?-p[ \t]+{_V}",
    rf"\bsecurity[ \t]+import[ \t]¦{_ARGS}-P[ \t]+{_V}",
    rf"\bsecurity[ \t]+set-key-partition-list[ \t]¦{_ARGS}-k[ \t]+{_V}",
    rf"\bsecurity[ \t]+add-(?:generic|internet)-password[ \t]¦{_ARGS}-w[ \t]+{_V}",
    rf"(?i)\bsigntool(?:\.exe)?[ \t]¦{_ARGS}/p[ \t]+{_V}",
    rf"(?i)\bschtasks(?:\.exe)?[ \t]¦{_ARGS}/r?p[ \t]+{_V}",
    rf"(?i)\bConvertTo-SecureString[ \t]+¦(?:-String[ \t]+)?{_V}",
    r"(?i)\bset[ \t]+password[ \t]+for[ \t]¦[^\r\n=]+=[ \t]*[\"'](?P<s>[^\"'\r\n]+)",
    r"(?i)(?:redis|valkey|keydb)-cli |[0-9\]]>[ \t]*auth ¦¦(?i)(?:-cli\b[^\r\n]*?[ \t]|>[ \t]*)auth[ \t]+(?:[\w\-]+[ \t]+)?[\"']?(?P<s>[^\s\"']+)",
)
_DEVICES = (
    rf"\bsnmp¦[a-z]+[ \t]{_ARGS}-c[ \t]+{_V}",
    r"(?i)(?:password|secret|key)[ \t]+[0-9][ \t]¦¦(?i)\b(?:password|secret|key)[ \t]+[0-9][ \t]+[\"']?(?P<s>[^\s\"']+)",
)

POSITIONS: tuple[SecretForm, ...] = (
    *(form("password", is_password, pattern) for pattern in _SAID),
    *(form("password", is_password, pattern) for pattern in _COMMANDS),
    *(form("password", is_said_password, pattern) for pattern in (*_TOLD, *_DEVICES)),
)
"""Placed before the other forms: a quoted password with a blank is taken whole."""
