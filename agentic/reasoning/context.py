"""What surrounds a finding in the log: its level, its place, whether somebody is only talking about it."""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence

import re2

from agentic.digest.severity import severity, weights
from agentic.reasoning.carried import plain
from agentic.reasoning.hearsay import NEVER, Hearsay
from agentic.reasoning.matching import Found, Hit
from agentic.reasoning.printed import is_entry, reports
from agentic.reasoning.signatures import Role, Signature, options

_LOOKED_AT = 400
_LONGEST_HEADING = 100
_SHORTLY = 30
_AT_ONCE = 64
_SENTENCE = 24
"""Length from which a line says enough to be known again."""
_LAST_PART = 400
"""Lines at the end of a log that are all judged by how much they look like a failure."""

_INFO, _WARN, _RETRY, _GAVE_UP, _CARRIED = range(5)
_SIGNS = (
    r"(?:^|[\s\[|:(\"])(?:INFO|DEBUG|TRACE|NOTICE|FINE|VERBOSE)[\s\]:|)\"]|level=\"?(?i:info|debug|trace|notice)\b"
    r"|\"(?i:level|severity|lvl|log_level)\":\s*\"(?i:info|debug|trace|notice)\"|\[(?:info|debug|notice|trace)\]|^I\d{4} \d\d:",
    r"(?:^|[\s\[|:(\"])(?:WARN|WARNING)[\s\]:|)\"]|level=\"?(?i:warn)|\"(?i:level|severity|lvl|log_level)\":\s*\"(?i:warn)"
    r"|\[warn(?:ing)?\]|^W\d{4} \d\d:|^[\s│|]*(?i:warning):",
    r"(?i:\bretry(?:ing)?\b|^\W*waiting for \w|\bwill (?:be )?retr|\btry(?:ing)? again\b|\bre-?attempt|\b(?:attempt|try) #?\d+(?:/| of )\d+|\battempt #?\d+ failed"
    r"|\b(?:sleep|paus|wait)(?:ing|ed)?(?: for)? \d|\bback(?:ing)?[ -]?off\b|\b(?:re-?connect|re-?schedul|re-?submit|re-?launch|re-?queu|re-?balanc)ing\b|\bfailing over\b|\bfalling back\b|\busing (?:the )?(?:fallback|mirror|replica|next)\b)",
    r"(?i:\bgiv(?:ing|en|e) up\b|\bgave up\b|\bretries (?:are |were )?(?:exhausted|exceeded)|\b(?:max(?:imum)?|all|no more|too many|out of) (?:number of )?(?:retries|attempts|tries)\b|\bafter \d+ (?:attempts|retries|tries|times)\b|\bfailed \d+ times\b"
    r"|\b(?:attempt|try|retry) #?(?:1(?:/| of )1|2(?:/| of )2|3(?:/| of )3|4(?:/| of )4|5(?:/| of )5|6(?:/| of )6|8(?:/| of )8|10(?:/| of )10)\b)",
    r"\{(?:subprocess|bash|logging_mixin|pod_manager|pod_launcher|docker|ssh|spark_submit|kubernetes_pod)\.py:\d+\} INFO - ",
)


def _compile() -> re2.Set:
    signs = re2.Set.SearchSet(options())
    for pattern in _SIGNS:
        signs.Add(pattern)
    signs.Compile()
    return signs


_SET = _compile()
_STOPPED = re2.compile(
    r"(?i)non-?zero|exit(?:ed)?(?: with)?(?: code| status)?[: ]+[1-9]|\bfatal\b|^traceback|\babort|\bfailed\b|\berror[:\]]|✖ [1-9]|\bfound [1-9]\d* errors?\b|\([1-9]\d* errors?\b"
)


_DONE = re2.compile(
    r"(?i)\b(?:ok|done|completed?|finished|succe(?:ss|eded|ssful|ssfully)|fetched|loaded|received|written|saved|uploaded|processed"
    r"|committed|created|passed|stored|installed|deployed|upgraded|archived|imported|exported|published|converted|indexed|copied|applied|verified|healthy|0 (?:errors?|failures?|failed)|100 ?%|HTTP/?[\d.]* 20[0-6])(?:$|[\W_])"
)
"""Work that was done, in words too weak to tell by themselves how a run ended."""
_TIDYING = re2.compile(
    r"(?i)\b(?:clean(?:ing|ed|up)?|tidy|tear(?:ing)? ?down|rolled? ?back|rollback|disconnect|clos(?:ed|ing)|shut(?:ting)? ?down|notif|mail|alert|report|artifact"
    r"|releas|unlock|removed?|deleted?|stopp|trap)"
)
"""Work that is done after a failure all the same."""
_LOUD = re2.compile(
    r"(?i)fatal|crit|emerg|panic|severe|caused by|err|exception|fail|fault|fehler|ошибка|错误|エラー".encode()
)
"""Words of a failure outright; other signs only say that something went wrong."""
_FAULTY = re2.compile(
    r"(?i)err|fail|exception|fatal|panic|crit|cannot|can't|could ?n[o']t|unable|den(?:y|ied)|refus|abort|reject|kill|timed? ?out|time-?out|exceed|lost|missing|not |no such|invalid|unknown|unexpected|expired|violat|conflict|corrupt|closed|reset|full|limit|unauthorized|forbidden|terminat|stopp|cancel|too |evict|preempt|oom|deadlock|\b[45]\d\d\b"
)
"""Words without one of which a line of a low level tells of nothing that went wrong."""
_COUNTED = re2.compile(r"(?i)\b[1-9]\d* (?:errors?|failures?|failed|problems?)\b")
_BOX = re.compile(r"\s*[│|] ?(Warning|Error)?")
_TALLEST_BOX = 16
_NEVER_MIND = re2.compile(
    r"(?i)^\W*(?:ignor(?:ed|ing)(?: it| this)?|nothing to (?:remove|delete|clean|stop|undo)\b.*|(?:going|carrying) on|continuing(?: anyway)?|that is fine|never ?mind|no matter|not fatal|harmless)\W*$"
    r"|\((?:ignored|harmless|expected|not fatal|going on|nothing to remove[^)]*)\)"
)
"""What a run says that expected a fault."""
SEVERE = 40
SOMEWHAT = 26


def tail_start(total: int) -> int:
    """Return the line with which the end of a log begins, where the verdict of a run usually stands."""
    return max(0, total - max(25, total // 10))


class LineContext:
    """Judges lines of one log on demand; a line that matters is looked at once."""

    def __init__(self, lines: Sequence[str], found: Sequence[Found]) -> None:
        self._lines = lines
        self.total = len(lines)
        self._signs: dict[int, frozenset[int]] = {}
        self._weights: list[tuple[int, int]] | None = None
        self._idle: list[tuple[int, int]] = []
        self._hearsay = Hearsay(lines)
        self._benign = {h.line for e in found if e.signature.role is Role.BENIGN for h in e.hits}
        self._known = {h.line for e in found for h in e.hits}
        went_well = (h.line for e in found if e.signature.role is Role.SUCCESS for h in e.hits if not h.carried)
        self._went_well = sorted(line for line in went_well if self.credible(line))
        recovered = (h.line for e in found if e.signature.role is Role.RECOVERED for h in e.hits if not h.carried)
        self._recovered = [line for line in recovered if self.credible(line)]

    def penalty(self, line: int, signature: Signature) -> int:
        """Return by how much a finding on this line says less than its signature promises."""
        if line in self._benign:
            return 100
        penalty = self._hearsay.taken_off(line, definite=signature.any_level)
        if penalty >= NEVER:
            return NEVER
        signs = self._signs_of(line)
        if not signature.any_level:
            # Airflow passes on at INFO whatever the program of the task prints.
            told_low = _INFO in signs and _CARRIED not in signs
            told_as_warning = _WARN in signs and _INFO not in signs
            penalty += 24 * told_low + 10 * told_as_warning
            if (told_low or told_as_warning) and _FAULTY.search(self._lines[line][:_LOOKED_AT].encode()) is None:
                penalty += 20
            penalty += 24 * self._in_a_warning(line)
        return penalty + 6 * (_RETRY in signs)

    def _in_a_warning(self, line: int) -> bool:
        """Say whether a line belongs to a warning that is drawn as a box of several lines."""
        for number in range(line, max(-1, line - _TALLEST_BOX), -1):
            box = _BOX.match(self._lines[number])
            if box is None:
                return False
            if box[1]:
                return number < line and box[1].startswith("W")
        return False

    def position_bonus(self, first: int, last: int) -> float:
        """Favour what stands where the run ended, and a little what came first."""
        bonus = 8.0 if last >= tail_start(self.total) else 0.0
        return bonus + 3.0 * (1 - first / max(1, self.total))

    def recovered_after(self, line: int) -> bool:
        """Say whether a later line reports that a passing fault was overcome."""
        return any(line <= recovered for recovered in self._recovered)

    def went_well_after(self, line: int) -> int | None:
        """Return the first line after this one with which a step of the run says that it went well."""
        place = bisect_right(self._went_well, line)
        return self._went_well[place] if place < len(self._went_well) else None

    def credible(self, line: int) -> bool:
        """Say whether a line reports something of this run, rather than talks about it."""
        return not self._hearsay.is_talk(line)

    def overcame(self, line: int, *, tried_again: bool = False) -> bool:
        """Say whether the run got over a passing fault on this line: it tried again, and got on with its work."""
        if self.recovered_after(line):
            return True
        if not (tried_again or self.retried_near(line) or self._repeated(line)) or self._gave_up_near(line):
            return False
        return self.went_on(line, self.total)

    def went_on(self, line: int, end: int) -> bool:
        """Say whether the run got work done after a line and before another, at which it ended."""
        return self._next_work(line + 1) < min(end, self.total)

    def _next_work(self, start: int) -> int:
        """Return the first line from one on that reports work, or how many lines there are; none is read twice."""
        stop, found = self.total, self.total
        for first, next_work in self._idle:
            if first <= start <= next_work:
                return next_work
            if start < first < stop:
                stop, found = first, next_work
        found = next((line for line in self._done(start, stop) if self._is_work(line)), found)
        self._idle.append((start, found))
        return found

    def _done(self, start: int, stop: int) -> Iterator[int]:
        """Yield the lines of a part of the log that hold a word of work that was done."""
        while start < stop:
            # Searching many lines at once costs far less than one by one; the first ones are often enough.
            part = [line[:_LOOKED_AT] for line in self._lines[start : min(stop, start + _AT_ONCE)]]
            if _DONE.search("\n".join(part).encode()):
                yield from (start + number for number, text in enumerate(part) if _DONE.search(text.encode()))
            start += _AT_ONCE

    def _is_work(self, line: int) -> bool:
        text = self._lines[line][:_LOOKED_AT]
        return severity(text) == 0 and not _TIDYING.search(text.encode()) and self.credible(line)

    def retried_near(self, line: int) -> bool:
        """Say whether the run tried again right after a line."""
        return any(_RETRY in self._signs_of(near) for near in range(line - 1, line + 4))

    def shrugged(self, line: int) -> bool:
        """Say whether the run says right after a line that it does not mind."""
        return any(_NEVER_MIND.search(self.text(near)) for near in range(line, min(self.total, line + 2)))

    def _repeated(self, line: int) -> bool:
        """Say whether a line says word for word what the one before it said: something was tried twice."""
        return line > 0 and len(self.text(line)) >= _SENTENCE and self.text(line) == self.text(line - 1)

    def _gave_up_near(self, line: int) -> bool:
        return any(_GAVE_UP in self._signs_of(near) for near in range(line - 1, line + 4))

    def quiet_end(self, overcome: Container[int] = ()) -> list[int]:
        """Return the last line when it reports work that was done, in whichever words, and no line a lasting fault.

        Faults on the lines `overcome` are known not to have lasted.
        """
        last = self.last_lines(1)
        if not last or not _DONE.search(self._lines[last[0]][:_LOOKED_AT].encode()):
            return []
        severe = [
            n
            for n, weight in self._weighed()
            if weight >= SEVERE
            and n not in self._benign
            and severity(plain(self._lines[n])) >= SEVERE
            and n not in overcome
            and not self._hearsay.is_data(n)
        ]
        borne = (self.retried_near(n) or self.recovered_after(n) or self.shrugged(n) for n in severe)
        return list(last) if all(borne) else []

    def unexplained(self, least: int) -> bool:
        """Say whether a line of the last part reports a failure that nothing tried to overcome, in whichever words."""
        return any(self._stands(number) for number, weight in self._weighed() if weight >= least)

    def unexplained_before(self, line: int) -> bool:
        """Say whether something nobody knows failed shortly before a line, of which the line may be the consequence."""
        first = max(0, line - _SHORTLY)
        if first < self.total - _LAST_PART:
            near = [(n, severity(self._lines[n])) for n in range(first, line)]
        else:
            near = [(n, weight) for n, weight in self._weighed() if first <= n < line]
        return any(weight >= SOMEWHAT and n not in self._known and self._stands(n) for n, weight in near)

    def _stands(self, line: int) -> bool:
        low = {_INFO, _WARN} & self._signs_of(line)
        if not severity(plain(self._lines[line])):
            return False
        if low or line in self._benign or self._hearsay.taken_off(line):
            return False
        return not (self.retried_near(line) or self.shrugged(line))

    def stopped_near(self, line: int) -> bool:
        """Say whether a step of the run really stopped at a fault, rather than only mentioning it."""
        if self.mild(line):
            return False
        around = range(max(0, line - 1), min(self.total, line + 4))
        return any(
            _STOPPED.search(self._lines[n][:_LOOKED_AT].encode()) and not self._hearsay.counts_nothing(n)
            for n in around
        )

    def mild(self, line: int) -> bool:
        """Say whether a line is no more than a note or a warning by its own level."""
        signs = self._signs_of(line)
        return _INFO in signs or _WARN in signs

    def most_severe(self, count: int) -> tuple[int, ...]:
        """Return the lines that look most like a failure, best first; of a long log the last part."""
        significant = self._weighed()
        ranked = [n for n, _ in sorted(significant, key=lambda item: (-item[1], item[0]))]
        if not ranked:
            return self.last_lines(1)
        # The strongest first, then the last one: what ended the run often speaks softly.
        return tuple(dict.fromkeys([ranked[0], significant[-1][0], *ranked[1:]]))[:count]

    def looks_like_a_fault(self, numbers: Iterable[int]) -> bool:
        """Say whether any of some lines has a word of failure in it."""
        lines = [self._lines[number] for number in numbers]
        return any(severity(line) or _COUNTED.search(line[:_LOOKED_AT].encode()) for line in lines)

    def reported(self, hits: Iterable[Hit], *, acted_on: bool) -> bool:
        """Say whether any of some findings stands on a line that is no entry of a list, and reports it if it is acted on."""
        lines = (self._lines[hit.line] for hit in hits)
        return any(reports(line) if acted_on else not is_entry(line) for line in lines)

    def plainest(self, numbers: Iterable[int]) -> int:
        """Return the one of some lines that looks most like a failure; of equals the last."""
        several = tuple(numbers)
        return (
            several[0]
            if len(several) == 1
            else max(several, key=lambda number: (severity(self._lines[number]), number))
        )

    def continued(self, line: int) -> tuple[int, ...]:
        """Return the line that goes on where this one is only a heading, as in `Database Error` and its text."""
        if line + 1 >= self.total:
            return ()
        heading, text = self._lines[line], self._lines[line + 1]
        deeper = len(text) - len(text.lstrip()) > len(heading) - len(heading.lstrip())
        short = len(heading) < _LONGEST_HEADING and not text.lstrip().startswith(("at ", "File ", "..."))
        return (line + 1,) if deeper and short and text.strip() else ()

    def text(self, line: int) -> str:
        """Return a line."""
        return self._lines[line]

    def loudest(self) -> int:
        """Return how much the line of the last part that looks most like a failure does so."""
        ranked = sorted(self._weighed(), key=lambda item: -item[1])
        return next((weight for n, weight in ranked if _LOUD.search(self._lines[n].encode("utf-8", "replace"))), 0)

    def has_severe(self) -> bool:
        """Say whether any line of the last part reports a failure outright."""
        return any(
            weight >= 45 and severity(plain(self._lines[n])) >= 45 and not self._hearsay.is_data(n)
            for n, weight in self._weighed()
        )

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

    def _weighed(self) -> list[tuple[int, int]]:
        """Return the lines of the last part that look like a failure, and how much they do."""
        if self._weights is None:
            start = max(0, self.total - _LAST_PART)
            self._weights = [(start + n, weight) for n, weight in weights(self._lines[start:])]
        return self._weights

    def _signs_of(self, line: int) -> frozenset[int]:
        signs = self._signs.get(line)
        if signs is None:
            text = self._lines[line][:_LOOKED_AT] if 0 <= line < self.total else ""
            signs = frozenset(_SET.Match(text) or ())
            self._signs[line] = signs
        return signs
