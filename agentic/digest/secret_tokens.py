"""Secrets that are known by their own look, wherever they stand: keys and tokens that carry a maker's mark."""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agentic.digest.secret_values import is_card, looks_random, looks_secret

Check = Callable[[str, str, str], bool]


@dataclass(frozen=True, slots=True)
class SecretForm:
    """One form a secret takes: its kind, the pattern with the group `s`, and a look at the value.

    `hint` is found wherever the form may be found, and is quickly looked for: some letters that it must have. Only
    lines with the hint are searched for the form. A form without one is looked for in the whole text.
    """

    kind: str
    pattern: str
    check: Check | None = None
    hint: str = ""


AT = r"(?:\b|_|\\[nrtu]|%[0-9A-Fa-f]{2})"
"""Where a token may begin: at a word, also after an escape such as `\\n` or `%3D` whose last letter hides that."""
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def form(kind: str, check: Check | None, text: str, *, hint: str = "", around: str = "{}") -> SecretForm:
    """Make a form from its pattern: what stands before a `¦` in it is its hint, before a `¦¦` stands nothing else."""
    apart, cut, pattern = text.partition("¦¦")
    if not cut:
        apart, cut, rest = text.partition("¦")
        pattern = apart + rest
    return SecretForm(kind, around.replace("{}", pattern), check, apart if cut else hint)


def forms(kind: str, *patterns: str, check: Check | None = None) -> Iterable[SecretForm]:
    """Make rows of tokens that begin anywhere a word does; each pattern is the secret itself."""
    return (form(kind, check, pattern, around=rf"{AT}(?P<s>{{}})") for pattern in patterns)


def whole_forms(kind: str, *patterns: str, check: Check | None = None) -> Iterable[SecretForm]:
    """Make rows whose patterns say themselves which part is the secret."""
    return (form(kind, check, pattern) for pattern in patterns)


_CLOUDS = (
    *forms("aws_key", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|ANPA|APKA)¦[A-Z0-9]{16}\b", r"ABSK¦[A-Za-z0-9+/]{60,}={0,2}"),
    *whole_forms(
        "aws_key",
        r"(?:AKIA|ASIA)¦¦\b(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9/+\r\n](?:[^\r\n]{0,40}[^A-Za-z0-9/+\r\n])?(?P<s>[A-Za-z0-9/+]{40})(?:$|[^A-Za-z0-9/+=])",
        check=looks_secret,
    ),
    *forms("aws_token", r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu|FQoGZXIvYXdz)¦[A-Za-z0-9+/=%]{30,}"),
    *whole_forms("aws_signature", r"(?i)X-Amz-(?:Signature|Security-Token|Credential)=¦(?P<s>[^\s&\"']{8,})"),
    *whole_forms(
        "url_signature",
        r"(?i)[?&](?:X-Goog-Signature|Signature|hmac|sign|hdnea|token|code|key|auth|jwt|ticket|sid|session|session_?id|s?secret)=¦(?P<s>[^\s&\"'<>;#]{12,})",
        check=looks_secret,
    ),
    *whole_forms("azure_sas", r"(?i)[?&;]sig=¦(?P<s>[A-Za-z0-9%+/=_\-]{16,})"),
    *forms("google_key", r"AIza¦[0-9A-Za-z_\-]{30,40}", r"ya29\.¦[0-9A-Za-z_\-]{20,}", r"GOCSPX-¦[0-9A-Za-z_\-]{20,}"),
    *forms("google_key", r"1//0¦[0-9A-Za-z_\-]{30,}", r"4/0A¦[0-9A-Za-z_\-]{30,}", r"AQ\.Ab¦[0-9A-Za-z_\-]{40,}"),
    *forms("azure_secret", r"[0-9]Q~¦¦[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}"),
    *whole_forms(
        "azure_key",
        r"\+A(?:St|Ba|CR|MC)[A-Za-z0-9+/]|ACDb[A-Za-z0-9+/]¦¦(?:^|[^A-Za-z0-9+/]|\\[nrt]|%[0-9A-Fa-f]{2})(?P<s>[A-Za-z0-9/+]{76}(?:\+A(?:St|Ba|CR|MC)|ACDb)[A-Za-z0-9+/]{5,6}={1,2})(?:$|[^A-Za-z0-9+/=])",
        r"\+A(?:Sb|Eh|Rm)[A-Za-z0-9+/]|AIoT[A-Za-z0-9+/]¦¦(?:^|[^A-Za-z0-9+/]|\\[nrt]|%[0-9A-Fa-f]{2})(?P<s>[A-Za-z0-9/+]{33}(?:\+A(?:Sb|Eh|Rm)|AIoT)[A-Za-z0-9+/]{5,6}=)(?:$|[^A-Za-z0-9+/=])",
        r"AzFu[A-Za-z0-9_\-]¦¦(?P<s>[A-Za-z0-9_\-]{42,44}AzFu[A-Za-z0-9_\-]{4,6}={0,2})",
        r"AzSe[A-Za-z0-9]¦¦\b(?P<s>[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{4,6})\b",
        r"JQQJ99¦¦\b(?P<s>[A-Za-z0-9]{50,56}JQQJ99[A-Za-z0-9]{20,30})\b",
        r"AZDO¦¦\b(?P<s>[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})\b",
    ),
    *forms(
        "cloud_key",
        r"LTAI¦[A-Za-z0-9]{12,24}\b",
        r"AKID¦[A-Za-z0-9]{28,36}\b",
        r"SCW[A-Z0-9]{3}¦¦SCW[A-Z0-9]{17}\b",
        check=looks_secret,
    ),
    *forms("cloud_key", r"AQVN¦[\w\-]{35,38}", r"y[0-3]_¦[\w\-]{50,}", r"t1\.¦[\w\-]+={0,2}\.[\w\-]{80,}={0,2}"),
    *forms("digitalocean_token", r"do[opr]_v1_¦[0-9a-f]{64}"),
    *forms("databricks_token", r"d(?:api|ose|kea|sapi)¦[0-9a-f]{32}(?:-[0-9])?\b"),
    *forms(
        "hosting_token",
        r"HRKU-¦[\w\-]{36,}",
        r"nfp_¦[A-Za-z0-9]{36,}",
        r"rnd_¦[A-Za-z0-9]{24,}",
        r"fm[12]_¦[A-Za-z0-9+/=_\-]{40,}",
    ),
    *forms(
        "hosting_token", r"fo1_¦[\w\-]{40,}", r"sbp_¦[a-f0-9]{40}", r"sb_secret_¦[\w\-]{20,}", r"napi_¦[a-z0-9]{50,}"
    ),
    *forms("hosting_token", r"pscale_(?:tkn|pw|oauth)_¦[\w\-.=]{30,}", r"v1\.0-¦[0-9a-f]{24}-[0-9a-f]{146}"),
    *forms("hosting_token", r"vc[aipkr]_¦[A-Za-z0-9]{24,}", r"cf(?:ut|at|k)_¦[A-Za-z0-9]{36,}", check=looks_random),
)

_FORGES = (
    *forms("github_token", r"gh[oprsu]_¦[A-Za-z0-9_]{30,}", r"github_pat_¦[A-Za-z0-9_]{22,}"),
    *forms(
        "gitlab_token",
        r"gl(?:pat|dt|rt|rtr|ptt|ft|imt|agent|oas|cbt|soat|ffct|wt)-¦[\w\-.]{18,}",
        r"GR1348941¦[\w\-]{18,}",
    ),
    *forms("bitbucket_token", r"AT(?:BB|ATT3|CTT3)¦[\w\-=]{24,}"),
    *forms(
        "package_token",
        r"npm_¦[A-Za-z0-9]{30,}\b",
        r"pypi-¦[\w\-]{40,}",
        r"rubygems_¦[0-9a-f]{40,}\b",
        r"dckr_(?:[po]at|oat)_¦[\w\-]{20,}",
        r"oy2¦[a-z0-9]{43}\b",
        r"AKCp¦[A-Za-z0-9]{60,}\b",
        r"cmVmd¦[A-Za-z0-9]{59}\b",
        r"cio¦[A-Za-z0-9]{32}\b",
        r"CLOJARS_¦[a-z0-9]{60}\b",
    ),
    *forms(
        "ci_token",
        r"CCIPAT_¦\w+",
        r"bk[uar]a?_¦[0-9a-f]{40}",
        r"sq[apu]_¦[0-9a-f]{40}",
        r"sgp_¦\w{30,}",
        r"tfp_¦[\w\-]{40,}",
    ),
    *forms("terraform_token", r"\.atlasv1\.¦¦[A-Za-z0-9]{14}\.atlasv1\.[\w\-]{40,}"),
    *forms("pulumi_token", r"pul-¦[a-f0-9]{40}"),
    *forms("vault_token", r"hv[bsr]\.¦[\w\-]{20,}"),
    *whole_forms(
        "vault_token",
        r"[\s\"'=:][sb]\.[A-Za-z0-9]+(?:[^\w.\-]|$)¦¦(?:^|[\s\"'=:])(?P<s>[sb]\.[A-Za-z0-9]{24})(?:$|[^\w.\-])",
        check=looks_random,
    ),
    *whole_forms("vault_token", r"(?:Unseal|Recovery) Key¦(?: [0-9]+)?:[ \t]+(?P<s>\S{20,})"),
    *forms("age_key", r"AGE-SECRET-KEY-1¦[0-9A-Z]{58}"),
    *forms("vault_token", r"dp\.(?:pt|st|ct|sa|scim|audit)\.¦[A-Za-z0-9.]{30,}", r"ops_eyJ¦[\w\-]{60,}"),
    *forms("postman_key", r"PMAK-¦[a-f0-9]{24}-[a-f0-9]{34}"),
)

_SERVICES = (
    *forms(
        "slack_token",
        r"xox[abceoprsd]-¦[A-Za-z0-9\-.]{10,}",
        r"xapp-[0-9]-¦[A-Za-z0-9\-]{10,}",
        r"xoxe\.xox[bp]-¦[A-Za-z0-9\-.]{10,}",
    ),
    *whole_forms(
        "chat_webhook",
        r"(?i)https?://hooks\.¦[a-z0-9.\-]+/(?:services|workflows|triggers|hooks)/(?P<s>[A-Za-z0-9+/_\-]{16,})",
        r"(?i)discord(?:app)?\.com/api/¦(?:v[0-9]+/)?webhooks/(?P<s>[0-9]+/[\w\-]{20,})",
        r"(?i)webhook\.office\.com/¦(?P<s>[^\s\"']{20,})",
        r"(?i)api\.telegram\.org/¦(?:file/)?bot(?P<s>[0-9]{6,12}:[\w\-]{20,})",
        r"(?i)chat\.googleapis\.com/v1/spaces/¦[^\s\"'?]+\?(?P<s>[^\s\"']{20,})",
    ),
    *forms("telegram_token", r"[0-9]:AA¦¦[0-9]{8,10}:AA[A-Za-z0-9_\-]{31,35}"),
    *forms(
        "discord_token",
        r"\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{20}¦¦[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}",
        r"mfa\.¦[\w\-]{80,}",
    ),
    *forms("stripe_key", r"[sr]k_(?:live|test)_¦[0-9A-Za-z]{10,}", r"whsec_¦[0-9A-Za-z+/=]{16,}"),
    *forms("twilio_key", r"(?:SK|AC)[0-9a-f]{6}¦¦(?:SK|AC)[0-9a-f]{32}\b"),
    *forms("sendgrid_key", r"SG\.¦[\w\-]{16,}\.[\w\-]{16,}"),
    *forms(
        "mail_key",
        r"[0-9a-f]-us[0-9]¦¦[0-9a-f]{32}-us[0-9]{1,2}\b",
        r"xkeysib-¦[0-9a-f]{64}-\w{16}",
        r"re_¦[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}",
    ),
    *whole_forms("mail_key", r"key-[0-9a-f]¦¦(?:^|[^\w\-]|\\[nrt]|%[0-9A-Fa-f]{2})(?P<s>key-[0-9a-f]{32})\b"),
    *forms(
        "payment_key",
        r"sq0¦[a-z]{3}-[\w\-]{22,}",
        r"EAAA¦[\w\-]{58,64}\b",
        r"access_token\$(?:production|sandbox)\$¦[0-9a-z]{16}\$[0-9a-f]{32}",
    ),
    *forms(
        "payment_key",
        r"access-(?:sandbox|development|production)-¦[0-9a-f\-]{36}",
        r"rzp_(?:live|test)_¦[A-Za-z0-9]{14,}",
    ),
    *forms("shop_token", r"shp(?:at|ca|pa|ss|tka)_¦[A-Fa-f0-9]{32}"),
    *forms(
        "social_token",
        r"EAACEdEose0cBA¦[0-9A-Za-z]+",
        r"EAA¦[A-Za-z0-9]{90,}",
        r"AAAAAAAAAAAAAAAAAAAAA¦[A-Za-z0-9%]{30,}",
    ),
    *forms(
        "work_token",
        r"lin_(?:api|oauth)_¦[A-Za-z0-9]{30,}",
        r"secret_¦[A-Za-z0-9]{43}\b",
        r"ntn_¦[A-Za-z0-9]{40,}",
        r"figd_¦[\w\-]{38,}",
    ),
    *forms(
        "work_token",
        r"pat[A-Za-z0-9]{10}¦¦pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
        rf"pat-¦[a-z]{{2}}[0-9]-{UUID}",
        r"sl\.[A-Za-z0-9_\-]{12}¦¦sl\.[A-Za-z0-9_\-]{60,}",
        r"[0-9]:[0-9a-f]{6}¦¦[01]/[0-9]{16}:[0-9a-f]{32}",
    ),
    *forms(
        "work_token",
        r"CFPAT-¦[\w\-]{40,}",
        r"00D¦[A-Za-z0-9]{12,15}![\w.]{40,}",
        r"ATOA¦[\w\-=]{40,}",
        r"xau_¦[A-Za-z0-9]{30,}",
    ),
    *forms(
        "monitoring_token",
        r"NR(?:AK|II|JS|AA)-¦[A-Za-z0-9_\-]{19,32}",
        r"[0-9a-f]NRAL¦¦[0-9a-f]{36}NRAL",
        r"gl(?:c|sa)_¦[A-Za-z0-9+/=_]{30,}",
    ),
    *forms(
        "monitoring_token",
        r"sntry[su]_¦[A-Za-z0-9=+/_.]{30,}",
        r"dt0[a-z]¦[0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
        r"hc¦[abcik]{2,4}_[a-z0-9]{50,}",
    ),
    *forms("monitoring_token", rf"(?:sdk|mob|api)-¦{UUID}"),
    *forms("model_key", r"sk-(?:proj|svcacct|admin|ant|or|lf|None)-¦[\w\-]{20,}"),
    *forms(
        "model_key",
        r"sk-¦[A-Za-z0-9]{20,}\b",
        r"sk-¦[\w\-]{32,}",
        r"sk_[0-9a-f]{8}¦¦sk_[0-9a-f]{40,}\b",
        r"gsk_¦[A-Za-z0-9]{40,}\b",
        check=looks_random,
    ),
    *forms(
        "model_key",
        r"hf_¦[A-Za-z0-9]{30,}\b",
        r"api_org_¦[A-Za-z0-9]{30,}",
        r"xai-¦[A-Za-z0-9]{60,}",
        r"pplx-¦[A-Za-z0-9]{40,}",
        r"r8_¦[A-Za-z0-9]{37,}",
    ),
    *forms(
        "model_key",
        r"nvapi-¦[\w\-]{50,}",
        r"lsv2_[ps][tk]_¦[0-9a-f]{32}_[0-9a-f]{10}",
        r"pcsk_¦\w{40,}",
        r"tvly-¦[\w\-]{24,}",
        r"e2b_¦[0-9a-f]{40}",
    ),
    *forms(
        "model_key",
        r"fw_¦[A-Za-z0-9]{20,}\b",
        r"jina_¦[\w]{50,}",
        r"wandb_v1_¦\w{40,}",
        r"cpk_¦[\w.]{40,}",
        check=looks_random,
    ),
    # What the next maker will call its keys: a short mark, what the key is for, and then chance.
    *forms(
        "service_token",
        r"[_-](?:live|test|prod|sandbox|sk|pat|tok|token|secret|key|api|pk|rk|at|rt|v[0-9])_[A-Za-z0-9]{8}¦¦[a-z][a-z0-9]{1,11}[_-](?:live|test|prod|sandbox|sk|pat|tok|token|secret|key|api|pk|rk|at|rt|v[0-9])_[A-Za-z0-9]{20,}\b",
        r"(?:pat|tok|sk|sec|key|at)_[A-Za-z0-9]{20}¦¦[a-z][a-z0-9]{0,7}(?:pat|tok|sk|sec|key|at)_[A-Za-z0-9]{24,}\b",
        check=looks_random,
    ),
)

_GENERAL = (
    *forms("jwt", r"eyJ¦[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*){0,3}"),
    *forms("paseto", r"v[1-4]\.(?:local|public)\.¦[\w\-]{40,}(?:\.[\w\-]+)?"),
    *whole_forms(
        "password_hash",
        r"\$(?:2[abxy]|[1567y]|gy|apr1|argon2i?d?|pbkdf2[\w\-]*|scrypt|sha1|md5)\$¦¦(?P<s>\$(?:2[abxy]|1|5|6|7|y|gy|apr1|argon2(?:id?|d)|pbkdf2[\w\-]*|scrypt|sha1|md5)\$[./A-Za-z0-9$=,+\-]{20,})",
        r"\{(?:S?SHA|S?MD5|CRYPT|PBKDF2)¦¦(?P<s>\{(?:SSHA|SHA|SMD5|MD5|CRYPT|SSHA256|SSHA512|PBKDF2[\w\-]*)\}[A-Za-z0-9+/$.=]{12,})",
        r"pbkdf2_sha¦¦(?P<s>pbkdf2_sha(?:1|256|512)\$[0-9]+\$[^\s\"']{20,})",
        r"SCRAM-SHA-¦¦(?P<s>SCRAM-SHA-(?:1|256|512)\$[0-9]+:[A-Za-z0-9+/=]{8,}\$[^\s\"']{20,})",
    ),
    # `-----BEGIN … PRIVATE KEY-----` in base64, as secrets of a cluster hold it.
    *forms("private_key", r"LS0tLS1CRUdJTi(?:BSU0EgUF|BQUklW|BFQyBQUk|BPUEVO|BFTkNSW|BEU0EgUF)¦[A-Za-z0-9+/=]{20,}"),
    SecretForm(
        "card",
        hint=r"(?:^|[^\w.\-/+:]|[A-Za-z_][=:])[2-6][0-9]{3}(?:[0-9]{9}| [0-9]{4} |-[0-9]{4}-| [0-9]{6} |-[0-9]{6}-)",
        check=is_card,
        pattern=        r"(?:^|[^\w.\-/+:]|[A-Za-z_][=:])(?P<s>(?:4[0-9]{3}|5[1-5][0-9]{2}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)|6011|64[4-9][0-9]|65[0-9]{2}|35(?:2[89]|[3-8][0-9])|62[0-9]{2})"
        r"(?:(?:[0-9]{4}){3}|(?: [0-9]{4}){3}|(?:-[0-9]{4}){3})|3(?:[47][0-9]{2}|0[0-5][0-9]|[68][0-9]{2})(?:[0-9]{10,11}| [0-9]{6} [0-9]{4,5}|-[0-9]{6}-[0-9]{4,5}))(?:$|[.,;:!?]?(?:$|[^\w.\-/+])|[.,;:!?]$)",
    ),
)  # fmt: skip

TOKENS: tuple[SecretForm, ...] = (*_CLOUDS, *_FORGES, *_SERVICES, *_GENERAL)
