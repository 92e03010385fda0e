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
    r"ftp\S*>|ftp \S*:\S*>|ftp -e ¦¦(?i)\b\w*ftp\b[^\r\n>]*(?:>|-e[ \t]+[\"'])[ \t]*(?:open[^;\r\n]*;[ \t]*)?user[ \t]+[\w.@\\\-]+[ \t]+[\"']?(?P<s>[^\s\"';]+)",
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
)

POSITIONS: tuple[SecretForm, ...] = (
    *(form("password", is_password, pattern) for pattern in _SAID),
    *(form("password", is_said_password, pattern) for pattern in _TOLD),
)
"""Placed before the other forms: a quoted password with a blank is taken whole."""
