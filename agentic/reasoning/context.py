"""What surrounds a finding in the log: its level, its place, whether somebody is only talking about it."""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

from collections.abc import Iterable, Sequence

import re2

from agentic.digest.severity import severity
from agentic.reasoning.matching import Found
from agentic.reasoning.signatures import Role, Signature, options
from agentic.types import Category

_LOOKED_AT = 400
_LONGEST_HEADING = 100

_CATEGORIES = "|".join(category.value for category in Category if "_" in category.value)
_INFO, _WARN, _COMMAND, _PASSED, _FOREIGN, _STEERING, _STACK, _RETRY, _NONE, _TIDIED, _SOME = range(11)
_SIGNS = (
    r"(?:^|[\s\[|:(\"])(?:INFO|DEBUG|TRACE|NOTICE|FINE|VERBOSE)[\s\]:|)\"]|level=\"?(?i:info|debug|trace|notice)\b"
    r"|\"(?i:level|severity|lvl|log_level)\":\s*\"(?i:info|debug|trace|notice)\"|\[(?:info|debug|notice|trace)\]|^I\d{4} \d\d:",
    r"(?:^|[\s\[|:(\"])(?:WARN|WARNING)[\s\]:|)\"]|level=\"?(?i:warn)|\"(?i:level|severity|lvl|log_level)\":\s*\"(?i:warn)"
    r"|\[warn(?:ing)?\]|^W\d{4} \d\d:|^(?i:warning):",
    r"^\s*(?:\++|\$|#|>>>|PS [A-Z]:\\\S*>|[\w.-]+@[\w.-]+:\S*[$#]) \S|\becho [\"']",
    r"^\s*(?:ok \d+|ok\b|PASS\b|PASSED|✓|✔|\[ +OK +\])|\bPASSED\b|\.\.\. ok$",
    r"\bsshd(?:\(pam_unix\))?\[\d+\]|\bpam_unix\(|\bnamed\[\d+\]|\bpostfix/\w+\[\d+\]",
    r"(?i:\b(?:ignore|disregard|forget) (?:all |any |the )?(?:previous|prior|above|earlier|preceding)\b"
    r"|\[?\b(?:assistant|ai|llm|language model|chatbot|gpt|copilot)\b\]? ?(?:[,:\]]|should|must|please|note|instruction)"
    r"|\b(?:note|message|instructions?|attention) (?:to|for) (?:the )?(?:ai|assistant|model|agent|llm|automation|operator bot)"
    r"|\bsystem prompt\b|\byou (?:are|must|should) (?:now |an? )?(?:ai|assistant|respond|reply|answer|classify|output|report)"
    r"|\b(?:correct|right|true|root) (?:category|cause|diagnosis|answer|classification) (?:is|:|=)"
    r"|\b(?:note|message|hint|memo|attention) (?:to|for) (?:who(?:m)?ever|anyone|any ?body|the (?:reader|person|one|engineer|operator|next|analy[sz]er|triage|classifier|system))\b|\b(?:whoever|anyone|any ?body) (?:who )?(?:reads|is reading|analy[sz]es|parses)\b"
    r"|\bclassify (?:this|it|the|as|so)|\b(?:so|please) classify\b|\blabel (?:this|it) (?:as|with)\b|</?(?:system|instructions?|prompt)>"
    r"|\b(?:category|diagnosis|verdict|classification|root[_ ]cause)\b[\"']?\s*(?:is|:|=|should be|must be)\s*[\"'`]?(?:"
    + _CATEGORIES
    + r")\b"
    r"|\b(?:" + _CATEGORIES + r")\b.*\b(?:" + _CATEGORIES + r")\b.*\b(?:" + _CATEGORIES + r")\b"
    r"|\bplease (?:print|delete|grant|disable|send|reveal|ignore)\b"
    r"|\bplease (?:run|execute|restart)\b.{0,40}(?:\brm\b|\bcurl\b|\bwget\b|\bchmod\b|\bdrop\b|\bsudo\b|\bthe (?:service|action|command)\b)"
    r"|\bin your (?:answer|response|reply|output)\b)",
    r"^\s+at [\w$.<>/]+[ (]|^\s*File \"[^\"]+\", line|^\s*\.\.\. \d+ more|\+0x[0-9a-f]+$",
    r"(?i:\bretry(?:ing)?\b|\bwill (?:be )?retr|\btrying again\b|\bre-?attempt|\battempt \d+(?:/| of )\d+)",
    r"(?i:\b(?:0|no|zero|without(?: any)?) (?:\w+ )?(?:errors?|failures?|failed|failing|warnings?|invalid|missing|bad|rejected"
    r"|duplicates?|problems?|issues?|conflicts?|corrupt\w*)\b)",
    r"(?i:^\W*(?:\w+ )?(?:deleted|removed|purged|pruned|cleaned(?: up)?|evicted) |\b(?:removed|deleted|dropped)(?:[:=] ?| )\d+\b)",
    r"(?i:\b[1-9]\d* (?:\w+ )?(?:errors?|failures?|failed|failing|invalid|missing|bad|rejected|duplicates?|problems?|issues?)\b"
    r"|\b(?:errors?|failures?|failed|failing|rejected)[=:] ?[1-9])",
)


def _compile() -> re2.Set:
    signs = re2.Set.SearchSet(options())
    for pattern in _SIGNS:
        signs.Add(pattern)
    signs.Compile()
    return signs


_SET = _compile()
_STOPPED = re2.compile(
    r"(?i)non-?zero|exit(?:ed)?(?: with)?(?: code| status)?[: ]+[1-9]|\bfatal\b|^traceback|\babort|\bfailed\b|\berror[:\]]"
)


_DONE = re2.compile(
    r"(?i)\b(?:ok|done|completed?|finished|succe(?:ss|eded|ssful|ssfully)|fetched|loaded|written|saved|uploaded|processed"
    r"|committed|created|passed|0 (?:errors?|failures?|failed)|100 ?%|HTTP/?[\d.]* 20[0-6])(?:$|[\W_])"
)
"""Work that was done, in words too weak to tell by themselves how a run ended."""
_SEVERE = 40


def tail_start(total: int) -> int:
    """Return the line with which the end of a log begins, where the verdict of a run usually stands."""
    return max(0, total - max(25, total // 10))


class LineContext:
    """Judges lines of one log on demand; a line that matters is looked at once."""

    def __init__(self, lines: Sequence[str], found: Sequence[Found]) -> None:
        self._lines = lines
        self.total = len(lines)
        self._signs: dict[int, frozenset[int]] = {}
        self._benign = {h.line for e in found if e.signature.role is Role.BENIGN for h in e.hits}
        self._recovered = [h.line for e in found if e.signature.role is Role.RECOVERED for h in e.hits]

    def penalty(self, line: int, signature: Signature) -> int:
        """Return by how much a finding on this line says less than its signature promises."""
        if line in self._benign:
            return 100
        signs = self._signs_of(line)
        if _STEERING in signs:
            return 100
        penalty = 0
        if not signature.any_level:
            penalty += 24 * (_INFO in signs) + 10 * (_WARN in signs and _INFO not in signs)
        penalty += 45 * (_COMMAND in signs) + 45 * (_PASSED in signs) + 40 * (_FOREIGN in signs)
        return penalty + 6 * (_RETRY in signs) + 45 * (_NONE in signs and _SOME not in signs) + 45 * (_TIDIED in signs)

    def position_bonus(self, first: int, last: int) -> float:
        """Favour what stands where the run ended, and a little what came first."""
        bonus = 8.0 if last >= tail_start(self.total) else 0.0
        return bonus + 3.0 * (1 - first / max(1, self.total))

    def recovered_after(self, line: int) -> bool:
        """Say whether a later line reports that a passing fault was overcome."""
        return any(line <= recovered for recovered in self._recovered)

    def went_on(self, line: int, end: int) -> bool:
        """Say whether the run got work done after a line and before another, at which it ended."""
        between = self._lines[line + 1 : end]
        return any(_DONE.search(text[:_LOOKED_AT]) and severity(text) == 0 for text in between)

    def retried_near(self, line: int) -> bool:
        """Say whether the run tried again right after a line."""
        around = self._lines[max(0, line - 1) : line + 4]
        return any(_RETRY in self._signs_of(line - 1 + n) for n in range(len(around)))

    def quiet_end(self) -> list[int]:
        """Return the last line when it reports work that was done, in whichever words, and no line a lasting fault."""
        last = self.last_lines(1)
        if not last or not _DONE.search(self._lines[last[0]][:_LOOKED_AT]):
            return []
        start = max(0, self.total - 400)
        severe = [n for n in range(start, self.total) if severity(self._lines[n]) >= _SEVERE]
        return list(last) if all(self.retried_near(n) or self.recovered_after(n) for n in severe) else []

    def stopped_near(self, line: int) -> bool:
        """Say whether a step of the run really stopped at a fault, rather than only mentioning it."""
        signs = self._signs_of(line)
        if _INFO in signs or _WARN in signs:
            return False
        around = self._lines[max(0, line - 1) : line + 4]
        return any(_STOPPED.search(text[:_LOOKED_AT]) is not None for text in around)

    def most_severe(self, count: int) -> tuple[int, ...]:
        """Return the lines that look most like a failure, best first; of a long log the last part."""
        start = max(0, self.total - 400)
        weighed = [(severity(self._lines[n]), n) for n in range(start, self.total)]
        significant = [w for w in weighed if w[0] > 0]
        ranked = [n for _, n in sorted(significant, key=lambda w: (-w[0], w[1]))]
        if not ranked:
            return self.last_lines(1)
        # The strongest first, then the last one: what ended the run often speaks softly.
        return tuple(dict.fromkeys([ranked[0], significant[-1][1], *ranked[1:]]))[:count]

    def plainest(self, numbers: Iterable[int]) -> int:
        """Return the one of some lines that looks most like a failure; of equals the last."""
        return max(numbers, key=lambda number: (severity(self._lines[number]), number))

    def continued(self, line: int) -> tuple[int, ...]:
        """Return the line that goes on where this one is only a heading, as in `Database Error` and its text."""
        if line + 1 >= self.total:
            return ()
        heading, text = self._lines[line], self._lines[line + 1]
        deeper = len(text) - len(text.lstrip()) > len(heading) - len(heading.lstrip())
        short = len(heading) < _LONGEST_HEADING and not text.lstrip().startswith(("at ", "File ", "..."))
        return (line + 1,) if deeper and short and text.strip() else ()

    def has_severe(self) -> bool:
        """Say whether any line of the last part reports a failure outright."""
        return any(severity(line) >= 45 for line in self._lines[max(0, self.total - 400) :])

    def strongest(self) -> str:
        """Return the text of the line that looks most like a failure, if only a little."""
        numbers = self.most_severe(1)
        return self._lines[numbers[0]] if numbers else ""

    def last_text(self) -> str:
        """Return the last line with any text."""
        numbers = self.last_lines(1)
        return self._lines[numbers[0]].strip() if numbers else ""

    def last_lines(self, count: int) -> tuple[int, ...]:
        """Return the last lines with any text, the last first."""
        numbers = []
        for number in range(self.total - 1, max(-1, self.total - 200), -1):
            if self._lines[number].strip():
                numbers.append(number)
                if len(numbers) == count:
                    break
        return tuple(numbers)

    def _signs_of(self, line: int) -> frozenset[int]:
        signs = self._signs.get(line)
        if signs is None:
            text = self._lines[line][:_LOOKED_AT] if 0 <= line < self.total else ""
            signs = frozenset(_SET.Match(text) or ())
            self._signs[line] = signs
        return signs
