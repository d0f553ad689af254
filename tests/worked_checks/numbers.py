"""Arithmetic, sequences and equations, worked out once more by other means."""

import re
from fractions import Fraction

from worked_checks.reading import (
    NUMBER,
    FaultError,
    Lines,
    divided,
    equal,
    need,
    numbers,
    value,
)

PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands")


def columns(lines, a, sign, b, *, form="short"):
    """The columns of a sum, or of a difference that is not below zero.

    Carry and borrow come from the numbers' remainders, not from column to column.
    """
    size = max(len(str(a)), len(str(b)))
    total = a + b if sign == "+" else a - b
    for n in range(size):
        low, high = 10**n, 10 ** (n + 1)
        tops, bottoms = a // low % 10, b // low % 10
        if sign == "+":
            before = a % low + b % low >= low
            after = a % high + b % high >= high and n < size - 1
            written = total % high if n < size - 1 else total
            extra = [1] if before else []
            result = tops + bottoms + len(extra)
            note = ", carry 1" if after else ""
        else:
            before = a % low < b % low
            after = a % high < b % high
            written = total % high
            extra = [1] if before else []
            tops += 10 if after else 0
            result = tops - bottoms - len(extra)
            note = ", borrow 1" if after else ""
        terms = f" {sign} ".join(map(str, [tops, bottoms, *extra]))
        gap = ": "
        if sign == "+" and form == "long":
            gap = ", write it: " if n == size - 1 else ", so far "
            note = ", carry 1" if after else ", carry 0" if n < size - 1 else ""
        shown = str(written).zfill(n + 1)
        lines.exactly(f"{PLACES[n]}: {terms} = {result}{note}{gap}{shown}")


def sums(seed, form, steps, answer):
    lines = Lines(steps)
    if "has" in seed.prompt:
        a, b = numbers(seed.prompt)
        sign = "+" if "gets" in seed.prompt else "-"
    else:
        a, sign, b = re.search(r"(\d+) (.) (\d+) =$", seed.prompt).groups()
        a, b = int(a), int(b)
    total = value(f"{a} {sign} {b}")
    big, small = (b, a) if sign == "-" and a < b else (a, b)
    if (big, small) != (a, b):
        lines.exactly(f"below zero, so {big} - {small}")
    if a < 10 and b < 10:
        if found := lines.maybe(r"From (\d) count (\d) (on|back): (.+)"):
            need(int(found[0]) == big and int(found[1]) == small, found)
            need(found[2] == ("on" if sign == "+" else "back"), found)
            step = 1 if sign == "+" else -1
            wanted = list(range(big + step, big + step * (small + 1), step))
            need(numbers(found[3]) == wanted, found)
            need(", ".join(map(str, wanted)) == found[3], found)
        lines.exactly(f"{big} {sign} {small} = {abs(total)}")
    else:
        columns(lines, big, sign, small, form=form)
        if sign == "-" or form == "long":
            lines.exactly(f"{big} {sign} {small} = {abs(total)}")
    if (big, small) != (a, b):
        lines.exactly(f"{a} - {b} = {total}")
    lines.end()
    need(answer == str(total), answer)


def product(seed, form, steps, answer):
    lines = Lines(steps)
    a, b = map(int, re.search(r"(\d+) \* (\d+)", seed.prompt).groups())
    few, many = min(a, b), max(a, b)
    if few and form == "short":
        counted = numbers(lines.take(rf"{few} times {many}: (\d+(?:, \d+)*)")[0])
        need(counted == list(range(many, many * few + 1, many)), steps)
    elif few:
        lines.exactly(f"{many} * 1 = {many}")
        for n in range(2, few + 1):
            line = rf"{many} \* {n} = {many * n - many} \+ {many} = \d+"
            equal(lines.peek())
            lines.take(line)
    equal(lines.peek())
    lines.exactly(f"{a} * {b} = {a * b}")
    lines.end()
    need(answer == str(a * b), answer)


def _counted_out(lines, a, b):
    """Counting up in the smaller number as long as it fits, until nothing is left."""
    while b:
        whole = [n for n in range(1, a + 1) if n % b == 0]
        shown = ", ".join(map(str, whole)) + ", " if b != 1 else ""
        lines.exactly(f"{a} by {b}: {shown}left {a - whole[-1]}")
        a, b = b, a - whole[-1]


def _remainders(lines, a, b):
    """Euclid's lines for two numbers, larger first; returns the last divisor."""
    while True:
        found = lines.take(r"(\d+) \* (\d+) = (\d+), (\d+) - (\d+) = (\d+)")
        times, by, taken, whole, away, left = map(int, found)
        need(by == b and whole == a and times * by == taken == away, found)
        need(whole - away == left < b, found)
        found = lines.take(r"(\d+) = (\d+) \* (\d+) \+ (\d+)")
        whole, times, by, left = map(int, found)
        need(whole == a and by == b and whole == times * by + left, found)
        need(left < b, found)
        if left == 0:
            break
        a, b = b, left
    lines.exactly(f"The remainder is 0, so the GCD is {b}.")
    return b


def _two(seed):
    return sorted(map(int, re.search(r"(\d+), (\d+)", seed.prompt).groups()))


def common_divisor(seed, form, steps, answer):
    lines, (b, a) = Lines(steps), _two(seed)
    if form == "short":
        _counted_out(lines, a, b)
    else:
        _remainders(lines, a, b)
    lines.end()
    shared = [n for n in range(1, b + 1) if a % n == 0 and b % n == 0]
    need(answer == str(shared[-1]), answer)


def common_multiple(seed, form, steps, answer):
    lines, (few, many) = Lines(steps), _two(seed)
    least = next(n for n in range(many, few * many + 1) if n % few == n % many == 0)
    if form == "short":
        first = lines.take(rf"{few}: (\d+(?:, \d+)*)")[0]
        second = lines.take(rf"{many}: (\d+(?:, \d+)*)")[0]
        wanted = ", ".join(str(n) for n in range(1, few * many + 1) if n % few == 0)
        need(first == wanted, first)
        wanted = ", ".join(str(n) for n in range(1, least + 1) if n % many == 0)
        need(second == wanted, second)
    else:
        divisor = _remainders(lines, many, few)
        need(few % divisor == many % divisor == 0, divisor)
        for line in (rf"{few} \* {many} = \d+", rf"{few * many} / {divisor} = {least}"):
            equal(lines.peek())
            lines.take(line)
    lines.end()
    need(answer == str(least), answer)


LEGS = {
    0: "snake, sea slug, jellyfish, flatworm, leech",
    2: "chicken, bird, human, duck",
    4: "dog, cat, cow, horse, lion, elephant, giraffe, tiger, deer, sheep",
    5: "starfish",
    6: "insect, ant, butterfly, beetle, bee, wasp, grasshopper, cricket, cockroach, "
    "praying mantis, firefly",
    8: "spider, scorpion",
    10: "crab, lobster, shrimp",
    14: "woodlouse",
}
LEGS_OF = {animal: n for n, many in LEGS.items() for animal in many.split(", ")}


def legs(seed, form, steps, answer):
    lines, total = Lines(steps), 0
    told = re.findall(r"(\d+) ([a-z ]+?)s?(?=,|\?)", seed.prompt.partition("have")[2])
    for n, (count, name) in enumerate(told):
        animal = name if name in LEGS_OF else f"{name}s"
        each, count = LEGS_OF[animal], int(count)
        after = total + each * count
        if form == "short":
            way = [total := total + each for _ in range(count)]
            lines.exactly(f"{animal} {each}: {', '.join(map(str, way))}")
        else:
            each_of = f"{count} * {each} = {each * count}"
            lines.exactly(f"{animal}: {each} legs each, {each_of}")
            if n:
                lines.exactly(f"{total} + {each * count} = {after}")
        total = after
    lines.end()
    need(answer == str(total), answer)


def bits(seed, form, steps, answer):
    lines, number = Lines(steps), numbers(seed.prompt.partition("number")[2])[0]
    digits = bin(number)[2:]
    if form == "short":
        places = [len(digits) - n - 1 for n, digit in enumerate(digits) if digit == "1"]
        rest = number
        for count, place in enumerate(places, 1):
            rest = number % 2**place
            whole = number % 2 ** (place + 1)
            lines.exactly(f"{whole} - {2**place} = {rest} ({count})")
    else:
        for n in range(len(digits)):
            whole, seen = number >> n, digits[len(digits) - n - 1 :].count("1")
            lines.exactly(f"{whole} = 2 * {whole >> 1} + {whole & 1} ({seen})")
    lines.end()
    need(answer == str(digits.count("1")), answer)


def equation(seed, form, steps, answer):
    lines = Lines(steps)
    left, right = seed.prompt.rpartition(": ")[2].split(" = ")
    name = re.search("[a-z]", left)[0]

    def at(x):
        return eval(left, {name: x})  # the item's own text

    constant, slope, right = at(0), at(1) - at(0), int(right)
    size, solution = abs(slope), Fraction(right - constant, slope)
    one = name if size == 1 else f"{size}*{name}"
    total = size * solution
    if form == "long" and constant:
        lines.exactly(f"Bring the numbers to one side and {one} to the other.")
    if constant:
        moved = lines.take(rf"{re.escape(one)} = (-?\d+ [-+] \d+)")[0]
        need(value(moved) == total, moved)
        first, second = numbers(moved.replace("- ", ""))
        need({abs(first), abs(second)} == {abs(constant), abs(right)}, moved)
    lines.exactly(f"{one} = {total}")
    if size > 1:
        if form == "long":
            lines.exactly(f"Divide both sides by {size}.")
        need(divided(lines, abs(total), size), steps)
        lines.exactly(f"{name} = {total} / {size} = {solution}")
    if form == "long":
        if size > 1:
            lines.exactly(f"{size} * {solution} = {size * solution}")
        put_in = lines.take(r"Check: (.+)")[0]
        need(equal(put_in) == right, put_in)
        wanted = left.replace(f"*{name}", f" * {solution}").replace(name, str(solution))
        need(put_in == f"{wanted} = {right}", put_in)
    lines.end()
    need(answer == str(solution), answer)


def sequence(seed, form, steps, answer):
    lines, terms = Lines(steps), numbers(seed.prompt)
    gaps = [terms[n + 1] - terms[n] for n in range(len(terms) - 1)]
    lines.exactly(f"Differences: {', '.join(map(str, gaps))}")
    rule, note = lines.take(r"Rule: ([np\d+*/() -]+)((?:, [^,]+)*)")
    wanted = [", p is the term before n"] * ("p" in rule)
    wanted += [", // rounds down"] * ("//" in rule)
    need(note == "".join(wanted), note)
    first = 1 if "p" in rule else 0
    following = [*terms[1:], int(answer)]
    for n in range(first, len(terms)):
        got = eval(rule, {"n": terms[n], "p": terms[n - 1]})  # numbers and signs only
        need(got == following[n], rule)
    if form == "short":
        first = max(first, len(terms) - 2)
    for n in range(first, len(terms)):
        said = re.sub("p", str(terms[n - 1]), re.sub("n", str(terms[n]), rule))
        lines.exactly(f"{said} = {following[n]}")
    lines.end()


# Prose between a number and what is done with it.
_WORDS = re.compile(r"(?<=\d)(?:\s+[a-zA-Z][a-zA-Z'-]*|/[a-z]+)+(?=\s*[-+*/=])")


def word(seed, form, steps, answer):
    """Each line's equations hold; what it reckons with is known or was reckoned."""
    known = {Fraction(one) for one in re.findall(r"\d+(?:\.\d+)?", _clean(seed.prompt))}
    common = map(Fraction, (0, 1, 2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365))
    known |= set(common)
    result = None
    for step in steps:
        text = _WORDS.sub("", _clean(step))
        need("=" in text, step)
        for left, right in _pairs(text):
            result = value(right)
            need(value(left) == result, step)
            known.add(result)
            for one in re.findall(r"\d+(?:\.\d+)?", left):
                number = Fraction(one)
                need(number in known or _share(number, known), step)
    need(result == value(answer), answer)


def _share(number, known):
    """Whether it is a share that the story tells: 80 %, the 20 % left, 6 of 24."""
    shares = {one / other for one in known for other in known if other}
    return bool({number, 1 - number, number - 1, number * 100} & (shares | known))


def _clean(text):
    text = re.sub(r"[£$€%]|(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"(?<=[\d\w]) ?[x×÷] ?(?=\d)", _sign, text)
    return re.sub(r"\s+", " ", text)


def _sign(found):
    return " / " if "÷" in found[0] else " * "


def _pairs(text):
    """The two sides of every equation in a line."""
    side = r"\d+(?:\.\d+)?(?:\s?[-+*/]\s?\d+(?:\.\d+)?)*"
    marks = [found.start() for found in re.finditer("=", text)]
    for at in marks:
        left = re.search(rf"({side})\s*$", text[:at])
        right = re.match(rf"\s*({side})", text[at + 1 :])
        if not left or not right:
            raise FaultError(text)
        yield left[1], right[1]


def told(seed, form, steps, answer):
    lines = Lines(steps)
    who, _, count, what = seed.prompt.partition(".")[0].split(" ")
    lines.exactly(f"It says: {who} has {count} {what}.")
    if form == "long":
        lines.exactly(f"So {who} has {count}.")
    lines.end()
    need(answer == count and count.isdigit(), answer)


CHECKS = {
    "told": told,
    "sum-1": sums, "story-1": sums, "sum-2": sums, "product-1": product,
    "gcd-30": common_divisor,
    "lcm-10": common_multiple, "legs": legs, "bits": bits, "equation": equation,
    "sequence": sequence, "word": word,
}  # fmt: skip
__all__ = ["CHECKS", "NUMBER"]
