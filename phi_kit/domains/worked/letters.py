"""Letters, words and lists: one letter or one element at a time."""

from __future__ import annotations

import json
import re
from collections import Counter

from phi_kit.data.records import Seed

from .text import Form, Work, solution, spelled, written

_COUNT = re.compile(r'the letter "(.)" appear in the text: "(.*)"\?')
_NOTE = re.compile(r"Ransom note: (\w+)\s+Magazine: (\w+)$")
_SORT = re.compile(r"numbers in (ascending|descending) order: ([-\d., ]+)\n")
_PALINDROME = re.compile(r"following letters: ([a-z](?:, [a-z])*)$")
_CIPHER = re.compile(r"Decrypt this Caesar cipher text: ([A-Z ]+)\.(?: Provide|$)")
_WORDS = re.compile(r"into anagrams:\s+(\[.*\])\s*$", re.DOTALL)
_INITIALS = re.compile(r"letters of these words as one word: ([a-z ]+)$")
_PLACE = re.compile(r"Which word is number (\d+) in this list: ([a-z, ]+)\?$")
_REVERSE = re.compile(r"these words in the opposite order: ([a-z ]+)$")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def count(seed: Seed, form: Form) -> str | None:
    """Letter by letter, with the count behind every hit: `d, a, n (1), c, e, n (2)`.

    In the long form a line for each letter.
    """
    found = _COUNT.search(seed.prompt)
    if not found:
        return None
    letter, text = found[1], found[2].lower()
    hits, lines = 0, []
    for word in text.split():
        seen = []
        for one in word:
            hits += one == letter
            if form == "short":
                seen.append(f"{one} ({hits})" if one == letter else one)
            else:
                lines.append(f"{one}: {'yes' if one == letter else 'no'}, {hits}")
        if seen:
            lines.append(f"{word}: {', '.join(seen)}")
    return solution(seed, lines, hits)


def initials(seed: Seed, form: Form) -> str | None:
    """Each word with its first letter."""
    found = _INITIALS.search(seed.prompt)
    if not found:
        return None
    lines, done = [], ""
    for word in found[1].split():
        done += word[0]
        so_far = f", so far {spelled(done)}" if form == "long" else ""
        lines.append(f"{word}: {word[0]}{so_far}")
    return solution(seed, lines, done)


def place(seed: Seed, form: Form) -> str | None:
    """Count through the list up to the place."""
    found = _PLACE.search(seed.prompt)
    if not found:
        return None
    words, last = found[2].split(", "), int(found[1])
    counted = [f"{n} {word}" for n, word in enumerate(words[:last], 1)]
    lines = [", ".join(counted)] if form == "short" else counted
    return solution(seed, lines, words[last - 1]) if counted else None


def reverse(seed: Seed, form: Form) -> str | None:
    """Number the words, then write them from the last number to the first."""
    found = _REVERSE.search(seed.prompt)
    if not found:
        return None
    words = found[1].split()
    counted = [f"{n} {word}" for n, word in enumerate(words, 1)]
    lines = [", ".join(counted)]
    lines += [", ".join(reversed(counted))] if form == "short" else reversed(counted)
    return solution(seed, lines, " ".join(reversed(words)))


def note(seed: Seed, form: Form) -> str | None:
    """Take each letter of the note out of what is left of the magazine."""
    found = _NOTE.search(seed.prompt)
    if not found:
        return None
    left = list(found[2])
    lines = [f"magazine: {spelled(found[2])}"]
    for letter in found[1]:
        if letter not in left:
            lines.append(f"{letter}: no")
            return solution(seed, lines, False)
        left.remove(letter)
        rest = ", ".join(left) or "nothing"
        lines.append(f"{letter}: yes, left {rest}")
    return solution(seed, lines, True)


def backward(seed: Seed, form: Form) -> str | None:
    """Spell the word, then the letters from the last to the first."""
    word = seed.prompt.rpartition(": ")[2]
    if not re.fullmatch(r"\w+", word):
        return None
    lines = [f"{word}: {spelled(word)}"]
    if form == "long":
        done = ""
        for letter in reversed(word):
            done += letter
            lines.append(f"{letter}: {spelled(done)}")
    else:
        lines.append(f"backward: {spelled(word[::-1])}")
    return solution(seed, lines, word[::-1])


def sort(seed: Seed, form: Form) -> str | None:
    """Take the next number out of those that are left."""
    found = _SORT.search(seed.prompt)
    if not found:
        return None
    left, lines, order = found[2].split(", "), [], []
    pick, name = (min, "smallest") if found[1] == "ascending" else (max, "largest")
    while left:
        best = pick(left, key=float)
        if form == "short":
            lines.append(f"{', '.join(left)}: {best}")
        else:
            lines.append(f"The {name} of {', '.join(left)} is {best}.")
        left.remove(best)
        order.append(best)
    return solution(seed, lines, str(order))


def palindrome(seed: Seed, form: Form) -> str | None:
    """One letter of each pair makes the left half, its mirror image the right half."""
    found = _PALINDROME.search(seed.prompt)
    if not found:
        return None
    counts = Counter(found[1].split(", "))
    odd = [letter for letter in counts if counts[letter] % 2]
    if len(odd) > 1:
        return None
    lines = [f"{letter}: {times}" for letter, times in counts.items()]
    half = [letter for letter, times in counts.items() for _ in range(times // 2)]
    lines.append(f"left: {', '.join(half)}")
    if odd:
        lines.append(f"middle: {odd[0]}")
    lines.append(f"right: {', '.join(reversed(half))}")
    if form == "long":
        lines.insert(0, "Count each letter; one of each pair goes to the left.")
    # Any palindrome of these letters is right; the item's own is another.
    whole = "".join([*half, *odd, *reversed(half)])
    return written(lines, whole)


def _back(letter: str, by: int) -> str:
    return _ALPHABET[_ALPHABET.index(letter) - by]


def caesar(seed: Seed, form: Form) -> str | None:
    """Move the first word back until it reads as a word, then every letter so far.

    Only the long form shows the shifts that fail: up to 25 lines.
    """
    found = _CIPHER.search(seed.prompt)
    if not found or not seed.answer:
        return None
    first = found[1].split()[0]
    shift = (ord(first[0]) - ord(seed.answer[0])) % 26
    lines = []
    if form == "long":
        for by in range(1, shift + 1):
            moved = spelled("".join(_back(letter, by) for letter in first), " ")
            lines.append(f"back {by}: {moved}")
    lines.append(f"{first[0]} - {shift} = {_back(first[0], shift)}, so back {shift}")
    words = []
    for word in found[1].split():
        clear = "".join(_back(letter, shift) for letter in word)
        words.append(clear)
        if form == "short":
            lines.append(f"{spelled(word, ' ')}: {spelled(clear, ' ')}")
        else:
            pairs = zip(word, clear, strict=True)
            lines.append(", ".join(f"{a} {b}" for a, b in pairs))
    return solution(seed, lines, " ".join(words))


def anagrams(seed: Seed, form: Form) -> str | None:
    """The letters of each word in order; words with the same letters are a group."""
    found = _WORDS.search(seed.prompt)
    words = json.loads(found[1]) if found else []
    groups: dict[str, list[str]] = {}
    lines = []
    for word in words:
        letters = "".join(sorted(word))
        together = groups.setdefault(letters, [])
        together.append(word)
        lines.append(f"{word}: {spelled(letters, ' ')}")
        if form == "long":
            lines[-1] += f" (group {list(groups).index(letters) + 1})"
    lines += [f"{n}: {', '.join(group)}" for n, group in enumerate(groups.values(), 1)]
    wanted = sorted(sorted(group) for group in groups.values())
    gold = json.loads(seed.answer) if words else []
    if not words or wanted != sorted(sorted(group) for group in gold):
        return None
    return written(lines, json.dumps(list(groups.values())))


FAMILIES: dict[str, Work] = {
    "letters-1": count,
    "letters-3": count,
    "initials": initials,
    "place": place,
    "reverse": reverse,
    "note": note,
    "backward": backward,
    "sort": sort,
    "palindrome": palindrome,
    "caesar": caesar,
    "anagrams": anagrams,
}
