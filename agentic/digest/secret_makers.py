"""More keys and tokens that carry a maker's mark, by what their makers document: a mark, an alphabet, a length."""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

from agentic.digest.secret_tokens import UUID, SecretForm, forms, whole_forms
from agentic.digest.secret_values import is_iban, looks_random, looks_secret

_CLOUDS = (
    *forms("cloud_key", r"K00[0-9]¦[A-Za-z0-9/+]{27}\b", r"DO00¦[A-Z0-9]{16}\b", check=looks_random),
    *forms("cloud_key", r"da2-¦[a-z0-9]{26}\b", rf"amzn\.mws\.¦{UUID}", r"amzn1\.oa2-cs\.v1\.¦[0-9a-f]{64}"),
    *forms("cloud_key", r"Atz[ar]\|¦[\w+/=\-|]{40,}", r"p8e-¦[a-z0-9]{32}\b"),
    *forms(
        "database_token", r"AVNS_¦[\w\-]{15,}", r"CCDB1_¦[A-Za-z0-9]{22}_[A-Za-z0-9]{40}", r"mdb_sa_sk_¦[\w\-]{30,}"
    ),
    *forms(
        "database_token",
        r"cflt¦[A-Za-z0-9+/]{56,64}={0,2}",
        r"4b1d¦[A-Za-z0-9]{38}\b",
        r"essu_¦[A-Za-z0-9+/=]{40,}",
        check=looks_random,
    ),
    *forms("database_token", r"dbt[cus]_¦[\w\-]{28,}", r"pn[ub]_¦[A-Za-z0-9]{36}\b", check=looks_random),
    *forms("hosting_token", r"ptr_¦[A-Za-z0-9+/]{40,}={0,2}", r"dn_¦[A-Za-z0-9]{32,}\b", check=looks_random),
    *forms(
        "cluster_token",
        r"token-¦[a-z0-9]{5}:[a-z0-9]{50,60}\b",
        r"kubeconfig-u¦(?:ser)?-[a-z0-9.]{5,20}:[a-z0-9]{50,60}\b",
    ),
    *forms("cluster_token", r"sha256~¦[\w\-]{43}\b", r"K10¦[0-9a-f]{64}::\S{16,}"),
    *forms("network_key", r"[th]skey-¦(?:auth|api|client|scim|webhook|oauth)-[A-Za-z0-9]{8,}-[\w\-]{16,}"),
)

_FORGES = (
    *forms("github_token", r"v1\.¦[0-9a-f]{40}\b"),
    *forms(
        "ci_token",
        r"CCIPRJ_¦[\w]{20,}",
        r"bkct_¦[\w\-.]{30,}",
        r"snyk_[us]at\.¦[0-9a-f]{8}\.[\w\-.]{20,}",
    ),
    *forms(
        "package_token", r"VSCE¦[A-Za-z0-9]{48,}\b", r"hexpm_¦[0-9a-f]{32,}", r"ccur_¦[a-z0-9]{40,}", check=looks_random
    ),
    *forms(
        "vault_token",
        r"A3-¦[A-Z0-9]{6}-[A-Z0-9]{6}-?[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}(?:-[A-Z0-9]{5})?",
        r"akl_¦[\w\-]{30,}",
    ),
    *forms("vault_token", r"secret-token:¦[\w.~%\-]{8,}", check=looks_secret),
)

_SERVICES = (
    *forms("mail_key", r"md-¦[A-Za-z0-9_\-]{22}\b", check=looks_random),
    *forms("payment_key", r"EZ[AT]K¦[A-Za-z0-9]{54}\b", r"FLWSECK(?:_TEST)?-¦[0-9a-zA-Z]{12,}-X", r"AQE¦[A-Za-z0-9]{4}hm[A-Za-z0-9+/=\-]{50,}"),
    *forms("payment_key", r"pdl_(?:live|sdbx)_apikey_¦\w{20,}", r"c[ks]_¦[0-9a-f]{40}\b"),
    *forms("payment_key", r"(?:live|test|access)_¦[A-Za-z0-9]{30,64}\b", check=looks_random),
    *forms("push_key", r":APA91b¦¦AAAA[A-Za-z0-9_\-]{7}:APA91b[\w\-]{100,}"),
    *forms("push_key", r"tk_¦[a-z0-9]{29}\b", check=looks_random),
    *forms("chat_token", r"sy[tr]_¦[A-Za-z0-9+/=]{2,}_[A-Za-z]{10,}_[A-Za-z0-9]{6}\b", r"oauth:¦[a-z0-9]{30}\b", r"dG9rO¦[A-Za-z0-9+/]{30,}={0,2}"),
    *forms("work_token", r"pk_¦[0-9]{4,10}_[A-Z0-9]{32}\b", r"ATTA¦[0-9a-f]{60,}\b", r"pk_¦[0-9a-f]{34}\b"),
    *forms("monitoring_token", r"NR(?:RA|SP|IQ|BR)-¦[A-Za-z0-9_\-]{19,45}", r"hb[pu]_¦[A-Za-z0-9]{36}\b", r"eyJrIjoi¦[A-Za-z0-9+/=]{30,}"),
    *forms("model_key", r"csk-¦[a-z0-9]{40,}\b", r"rpa_¦[A-Z0-9]{40,}\b", r"fc-¦[0-9a-f]{32}\b", r"BSA[A-Za-z0-9]¦[\w\-]{20,27}\b", check=looks_random),
    *forms("model_key", r"pa-¦[A-Za-z0-9_]{40,}\b", check=looks_secret),
    *whole_forms(
        "webhook",
        rf"(?i)loggly\.com/(?:inputs|bulk)/¦(?P<s>{UUID})",
        rf"(?i)(?:hc-ping\.com|hchk\.io)/¦(?P<s>{UUID})",
        r"(?i)maker\.ifttt\.com/trigger/¦[^\s\"'/]+/(?:json/)?with/key/(?P<s>[\w\-]{16,})",
        r"(?i)hook\.[a-z]{2}[0-9]\.make\.com/¦(?P<s>[a-z0-9]{20,})",
        r"(?i)/hooks/¦(?P<s>[a-z0-9]{26})\b",
        r"(?i)alert\.victorops\.com/integrations/¦\S+?/alert/(?P<s>[\w\-]{20,})",
        r"(?i)events\.pagerduty\.com/integration/¦(?P<s>[0-9a-f]{32})/",
        r"(?i)api\.opsgenie\.com/\S+?[?&]apiKey=¦(?P<s>[\w\-]{20,})",
    ),
    *whole_forms("api_key", r"(?i)\bSSWS¦[ \t]+(?P<s>[\w\-]{30,})", r"(?i)\bGenieKey¦[ \t]+(?P<s>[\w\-]{20,})"),
)  # fmt: skip

_GENERAL = (
    # `{"auths":` in base64, as the pull secret of a cluster is.
    *forms("docker_auth", r"eyJhdXRocyI6¦[A-Za-z0-9+/=]{20,}", r"ewogICAgImF1dGhzIjog¦[A-Za-z0-9+/=]{20,}", r"ewoJImF1dGhzIjog¦[A-Za-z0-9+/=]{20,}"),
    *forms("wallet_key", r"[xyz]prv¦[A-HJ-NP-Za-km-z1-9]{100,}"),
    *forms("private_key", r"RWRTY0Iy¦[A-Za-z0-9+/]{100,}={0,2}"),
    *whole_forms("private_key", r"\"kty\"¦¦\"(?:d|p|q|dp|dq|qi|k)\"[ \t]*:[ \t]*\"(?P<s>[\w\-]{20,})\"", check=looks_secret),
    *whole_forms("password_hash", r":::¦¦:[0-9a-fA-F]{32}:(?P<s>[0-9a-fA-F]{32}):::"),
    *whole_forms(
        "iban",
        r"\b[A-Z][A-Z][0-9][0-9][ A-Z0-9]¦¦(?:^|[^\w.\-/+])(?P<s>[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?))(?:$|[^\w\-/+])",
        check=is_iban,
    ),
)  # fmt: skip

MAKERS: tuple[SecretForm, ...] = (*_CLOUDS, *_FORGES, *_SERVICES, *_GENERAL)
