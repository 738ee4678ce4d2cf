# SPDX-License-Identifier: MIT
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog"] * 20


class Doubled:
    def pre_tokenize(self, text):
        text.split(lambda number, part: part.split(" ", "removed"))


def smoke():
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(each, tokenizer.token_to_id(each)) for each in ("[CLS]", "[SEP]")]
    )  # fmt: skip
    encoded = tokenizer.encode("The Càt sat, zzz")
    tokenizer.enable_padding(length=16)
    words = Tokenizer(models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.PreTokenizer.custom(Doubled())
    words.decoder = decoders.WordPiece()
    try:
        Tokenizer.from_str("{}")
    except Exception as error:
        refused = type(error).__name__
    return {
        "tokens": encoded.tokens,
        "offsets": encoded.offsets,
        "vocabulary": sorted(tokenizer.get_vocab())[:20],
        "batch": [len(each.ids) for each in tokenizer.encode_batch(TEXTS)] == [16] * len(TEXTS),
        "again": Tokenizer.from_str(tokenizer.to_str()).encode("the dog").tokens,
        "custom": words.encode("one three two").ids,
        "decoded": words.decode([0, 1]),
        "split": pre_tokenizers.Split(Regex(r"\d+"), "isolated").pre_tokenize_str("ab12cd"),
        "bytes": pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("né"),
        "refused": refused,
    }
