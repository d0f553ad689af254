"""How an answer is announced in many languages: the words, and what follows them.

One row a language (or a few that share their words): what the answer is called,
and how a sentence says that it *is* something. These are pieces of patterns, for
`answer_extraction`.
"""

from __future__ import annotations

# Written with spaces between words.
_SPACED = (
    ("answer", "is|must[ \t]+be|should[ \t]+be|equals"),
    ("antwort|endantwort|ergebnis|endergebnis", "ist|lautet|beträgt"),
    ("réponse|reponse", "est"),
    ("respuesta|resposta", "es|é|és"),
    ("risposta", "è|e'"),
    ("antwoord", "is|luidt"),
    ("svar|svaret", "är|er|blir"),
    ("vastaus", "on"),
    ("odpowiedź|odpowiedz", "to|jest"),
    ("odpověď|odpoveď|odgovor|одговор", "je|је|glasi"),
    ("răspuns|răspunsul|raspuns", "este|e"),
    ("válasz", "az"),
    ("cevap|yanıt|жауап|cavab", "şudur"),
    ("jawaban|jawabannya|jawapan|jawapannya", "adalah|ialah|yaitu"),
    ("đáp[ \t]+án|đáp[ \t]+số|câu[ \t]+trả[ \t]+lời|trả[ \t]+lời", "là"),
    ("sagot|jibu|antwurd|vastus|atbilde|atsakymas", "ay|ni|on|ir|yra"),
    ("ответ|відповідь|отговор|адказ", "это|це|е|равен|равна|равно|дорівнює|будет"),
    ("απάντηση|απαντηση", "είναι|ειναι"),
    ("תשובה|התשובה", "היא|הוא"),
    ("(?:ال)?(?:جواب|إجابة|اجابة)|پاسخ", "هو|هي|است|ہے|برابر"),
    ("उत्तर|जवाब|উত্তর", "है|हैं|होगा|হল|হলো|হবে"),
    ("விடை|பதில்|సమాధానం|జవాబు|ಉತ್ತರ|ഉത്തരം|ਉੱਤਰ|ਜਵਾਬ|જવાબ|පිළිතුර", "(?!)"),
    ("պատասխան|պատասխանը|პასუხი|პასუხია|መልስ|መልሱ", "(?!)"),
)
# Written without them, or with endings in place of words.
_CLOSE = (
    ("答案|答|回答|解答|正确选项|正確選項",
     "(?:应该|應該|应|應|就)?[是为為]|等于|等於"),
    ("答え|こたえ|正解|正答|最終回答", "は|が"),
    ("정답|답변|해답|답", "은|는|이|가"),
    ("คำตอบ(?:ที่ถูกต้อง|สุดท้าย)?", "คือ|เป็น"),
)  # fmt: skip
# What may stand before the answer's name: articles, connectives, "final".
_LEADS = (
    "the|my|our|your|a|so|thus|hence|therefore|and|final|correct|right|best|short|"
    "die|das|der|also|endgültige|richtige|korrekte|la|le|el|il|o|a|de|het|den|"
    "donc|bonne|ma|por[ \t]+lo[ \t]+tanto|quindi|portanto|logo|assim|entonces|"
    "juiste|lopullinen|rätt|riktig|prawidłowa|poprawna|ostateczna|správná|"
    "ispravan|tačan|doğru|nihai|"
    "окончательный|правильный|итоговый|верный|правильна|остаточна|"
    "η|τελική|σωστή|सही|अंतिम|সঠিক"
)
_CLOSE_LEADS = (
    "最终|最終|最后|正确|正確|所以|因此|故|则|本题|最終的な|よって|したがって|"
    "최종|따라서|그러므로"
)


# One further word behind it, as in `respuesta final` and `answer choice`.
_MORES = (
    "final|finale|finală|finalis|akhir|choice|option|letter|"
    "correct|correcta|correcte|corretta|correta|certa|exacta|exacte|esatta|juste|"
    "definitiva|ostateczna|poprawna|corect|corectă|yang[ \t]+benar|yang[ \t]+tepat|"
    "benar|đúng|cuối[ \t]+cùng|النهائية|الصحيحة|النهائي|الصحيح|نهایی|הסופית|הנכונה"
)
_NOTS = (
    "not|isn't|isn’t|nicht|ne|n'|n’|no|não|nao|non|niet|inte|ikke|ei|nie|není|nu|"
    "bukan|không|не|δεν|לא|אינה|ليس|ليست|नहीं"
)
_CLOSE_NOTS = "不是|并非|不|ではない|ไม่ใช่"
_EDGE = r"(?![^\W_])"


def _words(words: str) -> str:
    """Whole words; in scripts with combining signs no word ends where Python thinks."""
    return rf"(?<![^\W_])(?:{words}){_EDGE}"


_MORE = rf"(?:[ \t]+{_words(_MORES)})?"
_ALL = [_words("|".join(words for words, _ in _SPACED)) + _MORE]
_ALL += [words for words, _ in _CLOSE]
LEAD_WORDS = rf"(?:(?:{_words(_LEADS)}[ \t,]+|(?:{_CLOSE_LEADS})[ \t,，]*){{0,4}})"
# The answer's name.
ANSWER_NAME = f"(?:{'|'.join(_ALL)})"
# The name, and that it is: what follows is the answer.
_SAID = [
    rf"{_words(words)}{_MORE}[*_]*[ \t]*{_words(verbs)}" for words, verbs in _SPACED
]
_SAID += [rf"(?:{words})[*_]*[ \t]*(?:{verbs})" for words, verbs in _CLOSE]
_SAID += [r"(?:उत्तर|जवाब|উত্তর)[ \t]+(?=[^\n।]*(?:है|हैं|होगा|হল|হলো|হবে))"]
ANSWER_IS = f"(?:{'|'.join(_SAID)})"
# The name, and that it is *not* what follows.
ANSWER_IS_NOT = (
    rf"{ANSWER_NAME}[ \t]*(?:{_words(_NOTS)}|(?<!\w)(?:n'|n’)|{_CLOSE_NOTS})"
)
# A denial that a piece begins with; `no` alone may be the answer itself.
_NOT_THAT = "not|nicht|não|niet|inte|ikke|bukan|không|не|δεν|לא|ليس|ليست"
NEGATION = rf"(?:{_words(_NOT_THAT)}|{_CLOSE_NOTS})"
# The names that a text of ASCII letters may hold; none that holds another.
_ASCII = [w for words, _ in _SPACED for w in words.split("|") if w.isascii()]
_PLAIN_NAMES = [w for w in _ASCII if not any(o in w for o in _ASCII if o != w)]


def may_name_answer(text: str) -> bool:
    """Whether a text may hold a name of the answer; a quick test before searching."""
    if not text.isascii():
        return True
    text = text.lower()
    for name in _PLAIN_NAMES:  # noqa: SIM110 - asked of every response, twice
        if name in text:
            return True
    return False


# What a language puts behind the answer to end the sentence.
SENTENCE_ENDING = (
    r"\s*(?:입니다|이다|이에요|예요|です|である|だ|है|हैं|होगा|হবে|است|ہے|"
    r"dir|dır|dur|dür)?(\**)\s*[.。．।۔]?\s*$"
)
