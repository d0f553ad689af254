"""Study files as no one would write them: mutations of good ones."""

import random

NASTY = (
    *("[", "]", "{", "}", ":", "- ", "? ", "&a ", "*a", "<<: *a", "!!set ", "!x "),
    *("|", ">", "%", "@", "`", '"', "'", "#", "\t", "\n", "\r", "\0", "\x1b[31m"),
    *("~", "null", "true", ".nan", ".inf", "-.inf", "1e999", "0x1F", "-0", "=", "<<"),
    *("9" * 30, "9" * 5000, "-1", "1_000", "0o17", "2026-01-01", "12:30:00"),
    *("\ud800", "\ufeff", "\u2028", "\u0085", "ä", "\U0001f600", '"\\ud800"', '"\\0"'),
    *("[" * 50, "{a: " * 50, "- " * 50, "x" * 300, "../../etc", "/dev/zero", "~root"),
    *("math", "domains", "filter_edge", "samples: 0", "study: .", "06_expand_domains"),
    *("http://x/v1#m", "https://", "hub: ../x", "path: .", "task: gcd", "custom: 3"),
    *("---\n", "...\n", "%YAML 1.1\n---\n", "<<: [*a, *a]", "? [a]\n: b\n", ": x\n"),
)


def mangled(text: str, rng: random.Random) -> bytes:
    """The text after one to four changes, now and then in another encoding."""
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(CHANGES)(text, rng)
    if rng.random() < 0.03:
        return text.encode(rng.choice(["utf-16", "latin-1", "utf-32"]), "replace")
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.05:
        place = rng.randrange(len(data) + 1)
        data = data[:place] + bytes(rng.randrange(256) for _ in range(4)) + data[place:]
    return data


def _inserted(text, rng):
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(NASTY) + text[place:]


def _cut(text, rng):
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.randint(1, 30) :]


def _line(text, rng):
    """One line twice, elsewhere, indented otherwise, or gone."""
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    line = lines.pop(place) if rng.random() < 0.5 else lines[place]
    line = " " * rng.randint(0, 6) + line if rng.random() < 0.5 else line.lstrip()
    lines.insert(rng.randrange(len(lines) + 1), line)
    return "".join(lines)


def _value(text, rng):
    """Another value for one key."""
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    key, colon, _ = lines[place].partition(":")
    lines[place] = f"{key}{colon} {rng.choice(NASTY)}\n"
    return "".join(lines)


def _repeated(text, rng):
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start : start + rng.randint(1, 80)] * rng.randint(2, 40)


CHANGES = (_inserted, _inserted, _cut, _line, _line, _value, _value, _value, _repeated)
