"""The Emo3D score once more, in plain Python, written from its description alone and sharing no code with emo3d.

Similarity with every description, the k most similar (the earlier of two equals), then

- paper: the retrieved intensities added up by emotion, divided by their total; KL = sum over p > 0 of
  p ln(p / (q + eps));
- release: every retrieved intensity divided by the sum of all of them; the same sum, over all retrieved rows.

Emo3D = 1 / (1 + exp(-mean KL / alpha)). "Exact match" is the share of pictures that retrieved their own description.
"""

import math


def nearest(picture, texts, k):
    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / (math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b)))

    if k > len(texts):
        raise ValueError("k is larger than the bank")
    ranked = sorted(range(len(texts)), key=lambda row: (-round(cosine(picture, texts[row]), 6), row))
    return ranked[:k]


def divergence(described, retrieved, variant, epsilon):
    total = sum(described)
    p = [value / total for value in described]
    whole = sum(value for row in retrieved for value in row)
    if variant == "paper":
        rows = [[sum(row[emotion] for row in retrieved) / whole for emotion in range(8)]]
    else:
        rows = [[value / whole for value in row] for row in retrieved]
    result = 0.0
    for row in rows:
        for emotion in range(8):
            if p[emotion] > 0:
                result += p[emotion] * math.log(p[emotion] / (row[emotion] + epsilon))
    return result


def oracle(pictures, texts, intensities, described, variant, k, epsilon, alpha):
    """Mean KL, Emo3D, and the rows retrieved for each picture."""
    rows = [nearest(picture, texts, k) for picture in pictures]
    kl = [
        divergence(row, [intensities[index] for index in found], variant, epsilon)
        for row, found in zip(described, rows, strict=True)
    ]
    mean = sum(kl) / len(kl)
    return mean, 1 / (1 + math.exp(-mean / alpha)), rows


def exact_match(words, bank_words, rows):
    """Share of pictures whose description is, word for word, among those retrieved."""
    return sum(word in [bank_words[row] for row in found] for word, found in zip(words, rows, strict=True)) / len(words)
