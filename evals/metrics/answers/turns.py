"""Where a response ends: at a mark of the chat, a new turn or a new problem."""

import re
from dataclasses import dataclass

_REPLY = (
    r"assistant|response|ai|bot|chatbot|model|gpt|asistente|assistent|ассистент|助手|アシスタント"
)
_PROMPT = (
    r"user|human|system|instructions?|input|student|usuario|benutzer|utilisateur|utente"
    r"|usuário|пользователь|человек|用户|用戶|ユーザー|사용자"
)
_PROBLEM = (
    r"question|q|problem|exercise|task|query|prompt|puzzle|pregunta|problema|ejercicio|frage|aufgabe"
    r"|problème|exercice|вопрос|задача|问题|問題|问|問|題目|题目|題|质问|質問|swali|tatizo|คำถาม|โจทย์"
    r"|প্রশ্ন|সমস্যা|ప్రశ్న|సమస్య|प्रश्न|सवाल|문제|질문|domanda|esercizio|pergunta|questão|exercício"
    r"|vraag|opgave|pytanie|zadanie|fråga|uppgift|soru|câu[ ]hỏi|bài[ ]toán|pertanyaan|soal"
    r"|السؤال|سؤال"
)
_NEXT = r"(?:(?:next|new|another|similar|follow[- ]?up|bonus|practice)[ ])?"
_MARK = re.compile(
    rf"""(?imx)
      (?P<chat> <\|(?!begin_of_box|end_of_box|begin_of_solution|end_of_solution)[\w▁｜/-]{{1,40}}\|>
        | <｜[\w▁ ]{{1,40}}｜> | </?s> | \[/?INST\] | <</?SYS>> | <(?:start|end)_of_turn> | <eos>
        | <bos> | <pad> )
      (?P<role> \s{{0,3}}(?:user|human|system|assistant|model)\b )?
    | ^[ \t]{{0,8}} (?P<dress> [\#>*_\[(-]{{1,6}}[ ]? )? {_NEXT}
      (?P<name> {_REPLY}|{_PROMPT}|{_PROBLEM}|example(?=[ ]\#?\d) )
      (?P<number> [ ]?\#?\d{{1,3}} )?
      (?: [ ]?[*_\])]{{0,4}}[ ]?[:：]
        | (?(dress)|(?(number)|(?!))) [.]?[*_\])]{{0,4}}[ \t]*$ )
    | ^[ \t]{{0,8}} (?P<line> user|assistant|human|system ) [ \t]*$
    | (?<=[.!?\d}}]) (?P<glued> user|assistant|human ) (?=\n) """
)
_REPLIES = re.compile(rf"(?i)(?:{_REPLY})")
_PROMPTS = re.compile(rf"(?i)(?:{_PROMPT})")
# what introduces the answer itself: no mark after it ends anything
_INTRODUCTION = re.compile(r"\W*|[^\d]{0,200}:\W*")


def own_turn(text: str) -> str:
    """Return `text` up to where the model goes on with another turn or another problem.

    Marks before the first statement end nothing: an echo of the prompt, a problem said again.
    """
    start, in_prompt, numbered = 0, False, set[str]()
    for mark in map(_mark, _MARK.finditer(text)):
        if not in_prompt and not _INTRODUCTION.fullmatch(text, start, mark.start):
            if mark.name in numbered:
                # its own parts: "Question 1: ... Question 2: ..."
                continue
            return text[start : mark.start]
        if mark.is_turn:
            start, in_prompt = mark.end, mark.is_prompt
        elif mark.number:
            numbered.add(mark.name)
    return text[start:]


@dataclass(frozen=True)
class _Mark:
    start: int
    end: int
    # what begins here, in small letters; empty where a mark does not say
    name: str
    number: str
    # a turn, not a problem
    is_turn: bool
    is_prompt: bool


def _mark(match: re.Match[str]) -> _Mark:
    name = match["role"] or match["name"] or match["line"] or match["glued"] or ""
    name = name.strip().lower()
    is_prompt = _PROMPTS.fullmatch(name) is not None
    is_turn = is_prompt or match["chat"] is not None or _REPLIES.fullmatch(name) is not None
    return _Mark(match.start(), match.end(), name, match["number"] or "", is_turn, is_prompt)
