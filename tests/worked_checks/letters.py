"""Letters and words: counted, sorted and turned round by other means."""

import ast
import json
import re
from collections import Counter
from decimal import Decimal

from worked_checks.reading import Lines, need


def count(seed, form, steps, answer):
    lines = Lines(steps)
    letter, text = re.search(r'letter "(.)" .* text: "(.*)"\?', seed.prompt).groups()
    text, before = text.lower(), 0
    for word in text.split():
        if form == "long":
            for n, one in enumerate(word, 1):
                hits = before + word[:n].count(letter)
                lines.exactly(f"{one}: {'yes' if one == letter else 'no'}, {hits}")
        else:
            told = lines.take(r"(\S+): (.+)")
            need(told[0] == word, told)
            parts = told[1].split(", ")
            need("".join(part[0] for part in parts) == word, told)
            for n, part in enumerate(parts, 1):
                hits = before + word[:n].count(letter)
                wanted = f" ({hits})" if word[n - 1] == letter else ""
                need(part[1:] == wanted, told)
        before += word.count(letter)
    lines.end()
    need(answer == str(text.count(letter)), answer)


def initials(seed, form, steps, answer):
    lines, words = Lines(steps), seed.prompt.rpartition(": ")[2].split(" ")
    firsts = re.findall(r"\b[a-z]", " ".join(words))
    for n, word in enumerate(words, 1):
        so_far = f", so far {', '.join(firsts[:n])}" if form == "long" else ""
        lines.exactly(f"{word}: {word[:1]}{so_far}")
    lines.end()
    need(answer == "".join(firsts), answer)


def place(seed, form, steps, answer):
    number, listed = re.search(
        r"number (\d+) in this list: (.+)\?", seed.prompt
    ).groups()
    words, told = listed.split(", "), Lines(steps)
    pairs = []
    if form == "short":
        pairs = [tuple(part.split(" ")) for part in told.take(r"(.+)")[0].split(", ")]
    else:
        pairs = [told.take(r"(\d+) (\w+)") for _ in range(int(number))]
    told.end()
    need([word for _, word in pairs] == words[: int(number)], pairs)
    need([int(n) for n, _ in pairs] == list(range(1, int(number) + 1)), pairs)
    need(answer == pairs[-1][1] == words[int(number) - 1], answer)


def reverse(seed, form, steps, answer):
    lines, words = Lines(steps), seed.prompt.rpartition(": ")[2].split(" ")
    last = len(words)
    lines.exactly(", ".join(f"{words.index(word) + 1} {word}" for word in words))
    back = [f"{last - n} {words[-1 - n]}" for n in range(last)]
    for line in [", ".join(back)] if form == "short" else back:
        lines.exactly(line)
    lines.end()
    need(answer.split(" ") == [words[last - 1 - n] for n in range(last)], answer)


def note(seed, form, steps, answer):
    lines = Lines(steps)
    wanted = re.search(r"Ransom note: (\w+)", seed.prompt)[1]
    magazine = re.search(r"Magazine: (\w+)", seed.prompt)[1]
    lines.exactly(f"magazine: {', '.join(magazine)}")
    fits = not Counter(wanted) - Counter(magazine)
    for n, letter in enumerate(wanted, 1):
        if Counter(wanted[:n])[letter] > Counter(magazine)[letter]:
            lines.exactly(f"{letter}: no")
            break
        left = lines.take(rf"{letter}: yes, left (.+)")[0]
        rest = "" if left == "nothing" else left.replace(", ", "")
        need(left == (", ".join(rest) or "nothing"), left)
        need(Counter(rest) == Counter(magazine) - Counter(wanted[:n]), left)
    lines.end()
    need(answer == str(fits), answer)


def backward(seed, form, steps, answer):
    lines, word = Lines(steps), seed.prompt.split()[-1]
    lines.exactly(f"{word}: {', '.join(word)}")
    turned = [word[len(word) - n] for n in range(1, len(word) + 1)]
    if form == "short":
        lines.exactly(f"backward: {', '.join(turned)}")
    else:
        for n, letter in enumerate(turned, 1):
            lines.exactly(f"{letter}: {', '.join(turned[:n])}")
    lines.end()
    need(answer == "".join(turned), answer)


def sort(seed, form, steps, answer):
    lines = Lines(steps)
    up = "ascending" in seed.prompt
    given = re.search(r"order: (.+)", seed.prompt)[1].split(", ")
    order = sorted(given, key=Decimal, reverse=not up)
    for n, best in enumerate(order):
        left = list(given)
        for gone in order[:n]:
            left.remove(gone)
        if form == "short":
            lines.exactly(f"{', '.join(left)}: {best}")
        else:
            name = "smallest" if up else "largest"
            lines.exactly(f"The {name} of {', '.join(left)} is {best}.")
    lines.end()
    need(ast.literal_eval(answer) == order and answer == str(order), answer)


def palindrome(seed, form, steps, answer):
    lines = Lines(steps)
    counts = Counter(re.search(r"letters: (.+)$", seed.prompt)[1].split(", "))
    if form == "long":
        lines.exactly("Count each letter; one of each pair goes to the left.")
    seen = {}
    while found := lines.maybe(r"([a-z]): (\d)"):
        seen[found[0]] = int(found[1])
    need(seen == counts, steps)
    left = lines.take(r"left: (.+)")[0].split(", ")
    middle = (lines.maybe(r"middle: ([a-z])") or ("",))[0]
    right = lines.take(r"right: (.+)")[0].split(", ")
    lines.end()
    need("".join(left) + middle + "".join(right) == answer, answer)
    need(answer == answer[::-1] and Counter(answer) == counts, answer)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def caesar(seed, form, steps, answer):
    lines = Lines(steps)
    cipher = re.search(r"text: ([A-Z ]+)\.", seed.prompt)[1]

    def back(text, by):
        return text.translate(str.maketrans(ALPHABET, ALPHABET[-by:] + ALPHABET[:-by]))

    shift = next(n for n in range(1, 26) if back(cipher, n) == seed.answer)
    if form == "long":
        for by in range(1, shift + 1):
            lines.exactly(f"back {by}: {' '.join(back(cipher.split()[0], by))}")
    lines.exactly(f"{cipher[0]} - {shift} = {seed.answer[0]}, so back {shift}")
    for hidden, clear in zip(cipher.split(), seed.answer.split(), strict=True):
        if form == "short":
            lines.exactly(f"{' '.join(hidden)}: {' '.join(clear)}")
        else:
            pairs = lines.take(r"([A-Z] [A-Z](?:, [A-Z] [A-Z])*)")[0].split(", ")
            need("".join(pair[0] for pair in pairs) == hidden, pairs)
            need("".join(pair[-1] for pair in pairs) == clear, pairs)
    lines.end()
    need(answer == seed.answer, answer)


def anagrams(seed, form, steps, answer):
    lines = Lines(steps)
    words = json.loads(re.search(r"(\[[^\]]*\])\s*$", seed.prompt)[1])
    counts = [sorted(Counter(word).items()) for word in words]
    same = [
        [w for w, c in zip(words, counts, strict=True) if c == own] for own in counts
    ]
    groups = [group for n, group in enumerate(same) if group not in same[:n]]
    for word, group in zip(words, same, strict=True):
        told = lines.take(rf"{word}: ([a-z](?: [a-z])*)(?: \(group (\d+)\))?")
        letters = told[0].split(" ")
        need(Counter(letters) == Counter(word) and letters == sorted(letters), told)
        need((told[1] is None) == (form == "short"), told)
        need(told[1] in (None, str(groups.index(group) + 1)), told)
    for n, group in enumerate(groups, 1):
        lines.exactly(f"{n}: {', '.join(group)}")
    lines.end()
    need(json.loads(answer) == groups, answer)


CHECKS = {
    "letters-1": count, "letters-3": count, "note": note, "backward": backward,
    "initials": initials, "place": place, "reverse": reverse,
    "sort": sort, "palindrome": palindrome, "caesar": caesar, "anagrams": anagrams,
}  # fmt: skip
