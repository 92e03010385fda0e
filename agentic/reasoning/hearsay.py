"""What stands in a log and reports nothing: words to the reader, help, code, echoed commands, parts of addresses.

A line of these kinds may name every fault there is. It proves none, or says less than a line of the program itself.
"""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

import re
from collections.abc import Sequence

import re2

from agentic.reasoning.printed import Printed
from agentic.reasoning.signatures import options
from agentic.types import Category

NEVER = 100
"""What is taken off a finding on a line that may have been written to mislead."""
_LOOKED_AT = 400

_LABELS = "|".join(category.value for category in Category if "_" in category.value)
_STEERING = (
    r"(?i)\b(?:ignore|disregard|forget|override) (?:all |any |the |your |every )*(?:previous|prior|above|earlier|preceding|other|instructions?|errors? (?:above|below))\b"
    r"|(?:^|[^\w./-])(?:assistants?|ai|chatbot|language model|autoremedy)\]? ?[,:\]]|\b(?:assistants?|ai|llm|language model|chatbot|gpt|copilot|autoremedy)\b\]? ?(?:should|must|please|note|instruction|diagnos|verdict|agents?\b|readers?\b)"
    r"|\b(?:note|message|instructions?|attention|hint|memo|advice) (?:to|for) (?:the |any |every |all |our )?(?:ai|assistants?|language models?|llms?|automation|log (?:reader|analy[sz]er|parser)s?|analy[sz]ers?|readers?|remediation|triage|diagnos\w+|who(?:m)?ever|any ?one|any ?body|classifiers?)\b"
    r"|\b(?:note|memo) (?:to|for) (?:the |any |every |all |our )?(?:models?|agents?|bots?|operator bot|engineers?|operators?|person|one|next|system)\b"
    r"|\b(?:who(?:m)?ever|any ?one|any ?body|if you(?: are|.re)?) (?:who )?(?:is )?(?:reads?|reading|parses?|parsing|analy[sz]es?|analy[sz]ing) (?:this|the|these)\b"
    r"|\bsystem (?:prompt|instruction)s?\b|\b(?:new|updated) instructions?:|\byou (?:are|must|should|will|shall) (?:now |an? |not |only |always )*(?:ai|assistant|respond|reply|answer|classify|output|report|conclude|diagnose|call this|label|mark)\b"
    r"|\b(?:correct|right|true|real|actual|final|root)[ _](?:category|cause|diagnosis|answer|classification|verdict|label) ?(?:is|:|=|was)"
    r"|\b(?:category|diagnosis|verdict|classification|label|root[ _]cause)\b[\"']?\s*(?:is|:|=|should be|must be)\s*[\"'`]?(?:unknown|timeout|harmless|no failure|"
    + _LABELS
    + r")\b|[\"'](?:diagnosis|verdict|root_cause)[\"']: ?[\"']"
    r"|\b(?:" + _LABELS + r")\b.*\b(?:" + _LABELS + r")\b.*\b(?:" + _LABELS + r")\b"
    r"|\b(?:classify|categori[sz]e|label|diagnose|treat|report|consider|mark|record) (?:this|it|the (?:run|job|failure|error|log|incident|event))(?: (?:run|job|failure|error|log|incident|event))? (?:as|so|with)\b"
    r"|\bclassify (?:this|it|the|as|so)\b|</?(?:system|instructions?|prompt|assistant|tool_\w+|function_\w+)>|<\|\w+\|>|\b(?:BEGIN|END) (?:SYSTEM|INSTRUCTIONS?|PROMPT)\b|###? ?(?:system|instruction|assistant|tool (?:output|result|call))\b"
    r"|^\W*tool[ _](?:output|result|response|call)\b ?[:=]"
    r"|^\W*dear (?:automation|bots?|agents?|systems?|machines?|assistants?|readers?|operators?|sre|engineers?|colleagues?|team|on-?call|ai|model|robot|script|tool|parser)\b"
    r"|^\W*to (?:whoever|whomever|any ?one|any ?body|whom it)\b|\bwho(?:ever|mever)? (?:triages?|handles?|investigates?|debugs?|diagnoses?|remediates?|heals?|is on[- ]call|looks? (?:at|into)) (?:this|the|it|these|for)?\b"
    r"|\b(?:(?:real|true|actual) (?:failure|problem|issue|fault)|(?:real|true) (?:reason|error)) ?(?:is\b|was\b|=|: )"
    r"|\b(?:this|that|it) is (?:the|your) (?:true|real|only|actual|sole|root) (?:cause|error|problem|reason|fault|failure|issue)\b|\b(?:ignore|disregard|forget) (?:all |everything )?(?:the )?(?:rest|remainder|other lines|lines (?:above|below)|what follows)\b"
    r"|\bas an? (?:expert|ai\b|sre\b|language model|assistant|reliability|helpful)|^\W*(?:attention|achtung|hey|hello|hi|listen|note|urgent|important)\b[,:]? (?:dear )?(?:ai|bots?|agents?|assistants?|operators?|sre|on-?call|automation|admins?|administrators?|robot|system)\b"
    r"|\bexpected (?:output|answer|result|label|verdict) (?:for|of|by) (?:the |this )?(?:grader|judge|test set|exam|evaluat\w+|model|classifier|benchmark)\b|[\"']role[\"']: ?[\"'](?:system|assistant|user)[\"']"
    r"|^\W*(?:(?:recommended|required|suggested|correct|proper|necessary) (?:action|remedy|remediation)|remediation|remedy) ?[:=]"
    r"|\bthe (?:root )?cause of (?:this|the) (?:failure|error|problem|incident|outage|crash|job|run)\b|\b(?:summary|analysis|explanation|assessment|post-?mortem) of (?:the |this )?(?:incident|failure|outage|crash|error|problem)\b"
    r"|</?(?:log[-_ ]?analysis|analysis|findings?|remedy|remediation|verdict|diagnosis|conclusion|answer|thinking|thought|incident[-_]report|recommendation)\b[^>]*>"
    r"|^\W{2,}.{0,30}\b(?:(?:system|admin|operator|security|emergency|instructions?|prompt|policy) override|override(?: instructions?)?|system message|instructions? (?:begin|start|end)s?)\b"
    r"|\b(?:hinweis|nachricht|notiz|nota|mensaje|aviso|mensagem|messaggio|note|message|consigne|uwaga|сообщение|примечание|инструкция)\b.{0,24}(?:assist[ea]n|asistent|assistant|ассистент|\b(?:KI|IA|ИИ|LLM)\b)"
    r"|(?:ignor\w{1,8}|negeer|zignoruj|игнорируй\w*|forget|vergiss|oublie\w*|olvid\w+) .{0,30}(?:anweisung|instruc|instruk|vorherig|bisherig|obig|anterior|precedent|précédent|предыдущ|инструкц|wcześniej|poprzedni|vorige)"
    r"|(?:忽略|无视|忽視)(?:以上|之前|所有|前面|上面|先前)|(?:以上|上記|これまで).{0,8}無視|(?:AI|人工智能)?助手[:：,，、]|アシスタント(?:へ|は|、)"
    r"|\bplease (?:print|reveal|ignore|classify|approve|choose|answer|respond|reply)\b"
    r"|\bplease (?:run|execute|restart)\b.{0,40}(?:\brm\b|\bcurl\b|\bwget\b|\bchmod\b|\bdrop\b|\bsudo\b|\bthe (?:service|action|command)\b)"
    r"|\bin your (?:answer|response|reply|output|diagnosis|report)\b|\b(?:no|without) (?:further )?(?:human|operator|approval|escalation)(?: approval| review)?(?: is)? (?:needed|required|necessary)\b"
    r"|\b(?:not_a_failure|cancelled_by_operator|bad_data_or_schema|missing_file_or_data|hardware_or_storage_error|node_lost_or_preempted|image_or_package_unavailable|disable_tls_verification|grant_broad_permissions|escalate_to_human|free_disk_space|release_stale_lock)\b"
)
"""A line that speaks to its reader: tells what to conclude or to do, plays a tool, or uses words of ours."""

_JAVA_ROOT = re2.compile(r"(?i)\broot cause ?[:=]? ?\[?[\w.$]+(?:exception|error)\b", options())
"""How servers and query engines name the innermost exception."""
_FENCE = re.compile(r"^\s*/?(#|--|/|;|\*|>|\||rem\b|%|')")
_GOES_ON = (":", ",", "-", "(", "[", "{", "\\")
_LONGEST_SPEECH = 12

_KINDS: tuple[tuple[str, int, str], ...] = (
    (
        "command",
        55,
        r"^\s*(?:\++|\$|#|>>>|PS [A-Z]:\\\S*>|[\w.-]+@[\w.-]+:\S*[$#]) \S|^[A-Z]:\\\S*> ?\S|\becho [\"']"
        r"|^\[command\]|^##\[group\]|(?i:\b(?:running|executing|invoking|launching) (?:the )?(?:bash |shell )?(?:command|cmd|script)\b)",
    ),
    ("comment", 45, r"^\s*(?://|--|/\*|;|<!--|(?i:rem\b)|::) +[a-z]"),
    (
        "passed",
        50,
        r"^\s*(?:ok \d+|ok\b|PASS\b|PASSED|✓|✔|\[ +OK +\])|\bPASSED\b|\.\.\. ok$|\.{3,} ?(?i:pass|passed|ok)$|(?:^|\s)PASS$",
    ),
    ("foreign", 40, r"\bsshd(?:\(pam_unix\))?\[\d+\]|\bpam_unix\(|\bnamed\[\d+\]|\bpostfix/\w+\[\d+\]"),
    (
        "help",
        50,
        r"^\s*(?i:usage|synopsis|examples?|see also|tip|documentation|docs|possible (?:causes?|reasons?|solutions?)|common (?:causes?|reasons?)|troubleshooting)\b ?(?:\(\w+\))?:"
        r"|^\s+-{1,2}[a-zA-Z][\w-]*(?:[ ,=]\S+)*\s{2,}\S|(?i:\bif you (?:see|get|encounter|receive)\b|\b(?:possible|common|likely|typical) (?:causes?|reasons?) (?:are|is|include))",
    ),
    (
        "plea",
        30,
        r"(?i:\bplease (?:delete|grant|disable|send|restart|run)\b.{0,40}\b(?:all|every\w*|admin|any ?one|rm|curl|wget|chmod|sudo)\b)",
    ),
    (
        "outdated",
        35,
        r"(?i:\bdeprecat(?:ed|ion)\b|\bis obsolete\b|\bwill be removed in\b|\bno longer (?:needed|recommended)\b)",
    ),
    ("skipped", 25, r"(?i:\bwarn(?:ing)?\b.*[,;] ?skipp(?:ed|ing)\b.{0,30}$)"),
    (
        # What was missing or wrong is made good at once.
        "handled",
        50,
        r"(?i:(?:[,;]| -) ?(?:so |now |will be |we |am |is being )*(?:fetch(?:ed|ing)|comput(?:ed|ing)|load(?:ed|ing)|creat(?:ed|ing)|us(?:ed|ing) (?:it|them|this|the cached?|cached|an? \w+|instead|\w+ instead)|ignor(?:ed|ing)|continu(?:ed|ing)|default(?:ed|ing)|falling back|download(?:ed|ing)|re-?buil(?:t|ding)|build(?:ing)?|generat(?:ed|ing)|refresh(?:ed|ing)|re-?creat(?:ed|ing)|going on|proceed(?:ed|ing)|initiali[sz](?:ed|ing)|add(?:ed|ing))\b[^,;]{0,40}$)",
    ),
    ("page", 40, r"^\s*</?(?:p|h[1-6]|li|td|div|span|br|html|body)\b[^>]*>"),
    (
        "none",
        52,
        r"(?i:(?:^|[^.\w])(?:0|no|zero|without(?: any)?) (?:\w+ )?(?:errors?|failures?|failed|failing|warnings?|invalid|missing|bad|rejected"
        r"|duplicates?|problems?|issues?|conflicts?|corrupt\w*)\b"
        r"|\b(?:errors?|failures?|failed|faults?|events?|total|count|reached|exceeded|full|lost|missing|rejected|denied|refused|killed|kills|counter|timeouts?|retries)\b ?[:=] ?(?:0(?:$|[\s,;)])|(?:never|none|no|false)(?:$|[,;)]))"
        r"|^[^:=]{3,80}[a-zA-Z)][:=] ?(?i:0|none|never|ok|fine|normal|healthy|green|n/a)[.!]?$"
        r"|_(?:total|count|errors?|failures?)(?:\{[^}]*\})? ?[:=]? ?0(?:\.0)?(?:$|[\s,;)]))",
    ),
    (
        "expected",
        50,
        r"(?i:\((?:is )?expected (?:by|in|for) (?:this|the|a) test\)|\bexpected (?:failure|error) in test\b|\b(?:simulat|inject|rehears)(?:ed|ing) (?:an? |the )?\w+|\bas (?:intended|designed|expected|planned)\b)",
    ),
    (
        "threshold",
        40,
        r"(?i:\b(?:threshold|watermark|alarm|alert|warning|limit)s? (?:\w+ )?(?:is|at|of|set to|=) ?\d+ ?%|\d+ ?% (?:full|used)\b.{0,40}\bthreshold)",
    ),
    (
        # What a run works on is no report of the run: titles, tickets, the log of a repository, values of a statement.
        "record",
        50,
        r"(?i:\b(?:title|subject|headline|commit_?(?:msg|message)|ticket|issue|caption|comment|note|question|post)[\"']?\s*[:=]\s*\\?[\"'])"
        r"|^\s*(?i:insert into|replace into|update \S+ set|values|select|delete from)\b.*'|^\s*(?:\* )?[0-9a-f]{7,12} (?:\([^)]*\) )?(?i:fix|feat|chore|docs?|refactor|revert|merge|bump|add|update|remove|test|build|perf|style|handle|improve)(?:e[sd]|s|d)?\b"
        r"|^\W*(?i:(?:\w+ ){0,2}(?:branch|tag|commit|user-agent|referer|x-[\w-]+|subject|nick(?:name)?|display name|name of \w+|headline|caption|slogan|motto|remark|biography|reviews? \d+|comments? \d+)) ?[:=] ?\S"
        r"|^\s*(?:[-*] )?(?i:issue|ticket|bug|pr|merge request) #\d+:? [A-Za-z\"']|^\W*(?i:alert\b.{1,120}\b(?:resolved|cleared|closed)\b|resolved\b)|^(?:HEAD is now at|Checking out Revision|Commit message:) ",
    ),
    (
        "some",
        0,
        r"(?i:\b[1-9]\d* (?:\w+ )?(?:errors?|failures?|failed|failing|invalid|missing|bad|rejected|duplicates?|problems?|issues?)\b"
        r"|\b(?:errors?|failures?|failed|failing|rejected)[=:] ?[1-9])",
    ),
    (
        "tidied",
        45,
        r"(?i:^\W*(?:\w+ )?(?:deleted|removed|purged|pruned|cleaned(?: up)?|evicted) |\b(?:removed|deleted|dropped)(?:[:=] ?| )\d+\b)",
    ),
    ("quoted", 50, r"^\s*\d* ?\|  |^\s*LINE \d+: |^\s*(?:\S+ )?(?:STATEMENT|\[SQL|\[parameters):|query was: "),
    (
        "setting",
        30,
        r"^\s*[\"']?[a-z][a-z_.-]*(?:timeout|retr(?:y|ies)|limit|policy|mode|enabled|strategy|on_\w+|handler|interval|threshold|window|backoff|action|ttl|grace\w*|max\w*|min\w*)[\"']?\s*[:=]\s*[\"']?[\w.-]+[\"']?,?\s*$"
        r"|^\s*(?:[\w.-]*(?:timeout|retr|limit|interval|backoff|attempt|ttl|max|min|size|count|window)[\w.-]*=[\w./:-]+[\s,]*)+$",
    ),
)
"""Kinds of lines, what each takes off a finding, and how they look."""
_LIGHT = frozenset({"handled", "skipped", "outdated"})
_TALK = frozenset({"command", "comment", "help", "quoted", "record"})


def _compile() -> re2.Set:
    kinds = re2.Set.SearchSet(options())
    for _, _, pattern in _KINDS:
        kinds.Add(pattern)
    kinds.Compile()
    return kinds


_SET = _compile()
_STEERS = re2.compile(_STEERING, options())
_SOURCE, _VALUE = 60, 50
_FIELD = re.compile(r"\s*(?:- )?[\"']?([\w .-]{1,40})[\"']?: ?[|>][-+]?\s*$")
_TELLS = re.compile(r"(?i)msg|message|err|out|log|reason|cause|fail|exception|result|stat|trace|response|event|text")
"""Names of fields in which programs put what happened."""
_SOURCE_ABOVE = re.compile(r'\s*File "[^"]+", line \d+')


class Hearsay:
    """Tells which lines of one log report nothing, on demand."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._steering: dict[int, bool] = {}
        self._printed = Printed(lines)

    def taken_off(self, line: int, *, definite: bool = False) -> int:
        """Return how much less a finding on this line says because of what kind of line it is.

        What is `definite` says the same however lightly the line takes it.
        """
        text = self._text(line)
        if self.speaks_to_the_reader(line):
            return NEVER
        matched: Sequence[int] = _SET.Match(text) or ()
        kinds = {_KINDS[kind][0]: _KINDS[kind][1] for kind in matched}
        if "some" in kinds:
            kinds.pop("none", None)  # "0 warnings, 3 errors" counts something
        off = sum(less for kind, less in kinds.items() if not (definite and kind in _LIGHT))
        off += self._printed.taken_off(line)
        if text[:1].isspace() and line:
            off += _SOURCE * bool(_SOURCE_ABOVE.match(self._text(line - 1))) + _VALUE * self._in_a_value(line)
        return off

    def _in_a_value(self, line: int) -> bool:
        """Say whether a line belongs to a text of several lines that is the value of a field, as in YAML."""
        indent = _indent(self._text(line))
        for number in range(line - 1, max(-1, line - _LONGEST_SPEECH), -1):
            above = self._text(number)
            if above.strip() and _indent(above) < indent:
                field = _FIELD.match(above)
                return field is not None and not _TELLS.search(field[1])
        return False

    def counts_nothing(self, line: int) -> bool:
        """Say whether a line only says that there was none of something, as in `failed: 0`."""
        kinds = {_KINDS[kind][0] for kind in _SET.Match(self._text(line)) or ()}
        return "none" in kinds and "some" not in kinds

    def is_talk(self, line: int) -> bool:
        """Say whether a line only talks: to its reader, of what could be, or of what is about to be run."""
        kinds = (_KINDS[kind][0] for kind in _SET.Match(self._text(line)) or ())
        return any(kind in _TALK for kind in kinds) or self.is_data(line) or self.speaks_to_the_reader(line)

    def is_data(self, line: int) -> bool:
        """Say whether a line is a row, a change or the like that the run only prints."""
        return self._printed.taken_off(line) > 0

    def speaks_to_the_reader(self, line: int) -> bool:
        """Say whether a line tells its reader what to think, or goes on with what such a line began."""
        if self._steers(line):
            return True
        above = self._text(line - 1) if line else ""
        if above.rstrip().endswith(_GOES_ON) and self._steers(line - 1):
            return True
        fence = _FENCE.match(self._text(line))
        if fence is None:
            return False
        for number in range(line - 1, max(-1, line - _LONGEST_SPEECH), -1):
            text = self._text(number)
            other = _FENCE.match(text)
            if other is None or other[1] != fence[1]:
                return False
            if self._steers(number):
                return True
        return False

    def _steers(self, line: int) -> bool:
        known = self._steering.get(line)
        if known is None:
            text = self._text(line)
            known = _STEERS.search(text.encode()) is not None and _JAVA_ROOT.search(text) is None
            self._steering[line] = known
        return known

    def _text(self, line: int) -> str:
        return self._lines[line][:_LOOKED_AT] if 0 <= line < len(self._lines) else ""


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


_ADDRESS = re.compile(r"\bhttps?://[^\s\"'<>]+")
_HELP = re.compile(
    r"https?://(?:(?:docs?|help|support|learn|wiki|kb|developers?|faq|community|man)\.|[^/]+/(?:\S*/)?(?:docs?|help|wiki|faq|kb|man|manual"
    r"|guides?|troubleshoot\w*|errors?|support|articles?|questions|issues?|reference|knowledge\w*)(?:[/#?.]|$))|\S+#"
)


_REQUEST = re.compile(r"\b((?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^\s?\"]*)\?[^\s\"]*")


def without_hints(text: str) -> str:
    """Take out of addresses what is no report: the pages of a manual, and what stands behind a question mark."""
    if "://" in text:
        text = _ADDRESS.sub(_shortened, text)
    return _REQUEST.sub(r"\1", text) if "?" in text else text


def _shortened(match: re.Match[str]) -> str:
    address = match[0]
    if _HELP.match(address):
        tail = address[len(address.rstrip(")].,;:")) :]
        return "/".join(address.split("/", 3)[:3]) + "/" + tail
    return address.split("?", 1)[0]


_BIGGER_AFTER = re.compile(
    rb"[.,:]\d|-\d\d-\d|/\w| ?(?:[munkM]?s|secs?|seconds?|min(?:utes?|s)?|hours?|[kKMGT]i?[Bb]|%)(?![\w])"
    rb"| (?:rows?|records?|files?|bytes|lines|items|events?|messages|objects?|tests?|pages?|entries|tables?|documents?|of \d)\b"
)
_LONGER_NAME = re.compile(rb"\.[a-z][\w-]*\.[a-z]")
"""A sentence does not go on as the name of a host."""
_BIGGER_BEFORE = re.compile(
    rb"(?i)(?:[./#@$-]|\d[:,]"
    rb"|\b(?:port|pid|tid|line|lines|id|row|rows|size|job|build|step|part|page|offset|took|after|version|total|count|len|length"
    rb"|duration|elapsed|items?|batch|chunk|shard|partition|block|uid|gid|order|customer|user|invoice|no\.?|number|seq)\b[ =:#(]*)$"
)
_OTHER_CODE = re.compile(
    rb"(?i)\b(?:country|zip|postal|area|currency|product|item|promo|colou?r|bar|qr|region|branch|cost|tax|dial|station|room)[ _-]?(?:code[ =:#(]*)?$"
)
"""Codes that are none of a fault."""
_CONTEXT = re.compile(
    rb"(?i)err|code|sqlstate|state|status|http|fail|exception|refus|reject|denied|fatal|reply|response|ora-|msg|socket|warn"
)


def only_a_part(raw: bytes, start: int, end: int) -> bool:
    """Say whether a pattern found nothing but a part of something else, or a number of nothing known."""
    last_word = raw[start:end].rpartition(b" ")
    if last_word[1] and last_word[2].isalpha() and _LONGER_NAME.match(raw, end, min(len(raw), end + 80)):
        return True
    first, last = raw[start : start + 1].isdigit(), raw[end - 1 : end].isdigit()
    if last and _BIGGER_AFTER.match(raw, end, min(len(raw), end + 24)):
        return True
    if _OTHER_CODE.search(raw, max(0, start - 16), start):
        return True
    if not first:
        return False
    if _BIGGER_BEFORE.search(raw, max(0, start - 16), start):
        return True
    if any(65 <= byte | 32 <= 122 and byte > 64 for byte in raw[start:end]):
        return False
    line = raw[raw.rfind(b"\n", 0, start) + 1 : end + 200].split(b"\n", 1)[0]
    return _CONTEXT.search(line) is None
