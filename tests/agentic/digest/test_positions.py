"""Passwords that only their position in a command tells are taken out, and what merely looks like them stays."""

from __future__ import annotations

import pytest

from agentic.digest import Redactor

PLANTED = [
    ("lftp sftp.acme.example:~> user anna kestrel-44", "kestrel-44"),
    ("user etl Winter2026!", "Winter2026!"),
    ("ftp> user etl sommer22", "sommer22"),
    ('lftp -e "user etl kestrel44; mirror /in" ftp.acme.example', "kestrel44"),
    ('lftp -c "open -u etl,kestrel44 ftp.acme.example; ls"', "kestrel44"),
    ("open -u etl,kestrel44 ftp.acme.example", "kestrel44"),
    ("sqlplus scott/tiger1x@ORCL", "tiger1x"),
    ('expdp system/"ab#cd 9"@DW schemas=a', "ab#cd 9"),
    ("impdp 'system/Xy9zzz@DW' dumpfile=a", "Xy9zzz"),
    ('exp userid=system/"k3str#l"@DW file=a.dmp', "k3str#l"),
    ("sqlldr userid=etl/kestrel44@DW control=a.ctl", "kestrel44"),
    ('connect etl/"k3str#l"@DW', "k3str#l"),
    ('rman target sys/"k3str#l"@DW', "k3str#l"),
    ('sqlcmd -S db1 -U etl -P "k3str l#"', "k3str l#"),
    ("bcp dw.dbo.t out t.csv -S db1 -U etl -P kestrel44", "kestrel44"),
    ('psql "host=db user=etl password=kestrel44"', "kestrel44"),
    ("mysql -uetl -p'k3str l#' dw", "k3str l#"),
    ("smbclient //nas/in kestrel44 -U etl", "kestrel44"),
    ("smbclient //nas/in -U etl%kestrel44", "kestrel44"),
    ("ncftpput -u etl -p kestrel44 ftp.acme.example /in a", "kestrel44"),
    ("isql DSN etl kestrel44", "kestrel44"),
    ("tnsping x; sql etl/kestrel44@//db1:1521/DW", "kestrel44"),
    ("curl --user etl:kestrel44 https://x", "kestrel44"),
    ("wget --user=etl --password=kestrel44 ftp://x", "kestrel44"),
    ("pscp -pw kestrel44 a etl@h:", "kestrel44"),
    ("plink -ssh etl@h -pw kestrel44", "kestrel44"),
    ('winscp.com /command "open sftp://etl:kestrel44@h/"', "kestrel44"),
    ("quote PASS kestrel44", "kestrel44"),
    ("db2 connect to DW user etl using kestrel44", "kestrel44"),
    ("rclone obscure kestrel44", "kestrel44"),
    ("mongosh -u etl -p kestrel44", "kestrel44"),
    ("kinit etl <<< kestrel44", "kestrel44"),
    ("bteq .logon td1/etl,kestrel44;", "kestrel44"),
    (".LOGON td1/etl,kestrel44", "kestrel44"),
]
CLEAN = [
    "copied password_resets in 0.42s",
    "password_resets: 0.42s",
    "1 of 9 OK created table model stg.password_tokens ... [SELECT 44 in 1.32s]",
    "table user_tokens 12.44s",
    "user_secrets: 3.21 s",
    "dumping table api_tokens: 2.31s",
    "loaded auth_tokens 0.9s",
    "push https://x-access-token:***@git.acme.example/team/repo.git",
    "fetching https://oauth2:[REDACTED:token:ab12]@git.acme.example/team/repo.git main",
    "token [REDACTED:secret:ab12] git.acme.example/team/repo",
    "token=*** host git.acme.example/team/repo",
    "using token ******** git.acme.example/team/repo2026",
    "token: ****  registry.acme.example/v2/team1/app",
    "Session key updated (org.apache.kafka.connect.runtime.distributed.DistributedHerder)",
    "acme: error presenting token: route53: failed to change record set",
    "    p_key = serialization.load_pem_private_key(pem, password=pw, backend=default_backend())",
    "unable to retrieve secret from asm: service call has been retried 1 time(s)",
    "user root disconnected",
    "user etl connected",
    "user anna logged-in",
    "connect to db1/DW@prod",
    "user etl not-found",
    "secret: db-credentials mounted",
    "password_resets 00:00:12",
    "[1/4] password_history 14s",
    "OK password_audit_2024 in 12.31s",
    "TRUNCATE TABLE user_tokens (0.13 sec)",
    "token bucket: 120/s host-1/path",
]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor()


@pytest.mark.parametrize(("line", "secret"), PLANTED)
def test_a_password_known_by_its_place_is_taken_out(redactor: Redactor, line: str, secret: str) -> None:
    assert secret not in redactor.text(line)


@pytest.mark.parametrize("line", CLEAN)
def test_a_line_without_a_secret_stays_as_it_is(redactor: Redactor, line: str) -> None:
    assert redactor.text(line) == line
