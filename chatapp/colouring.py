"""Colours of code, by Pygments: which languages there are, and which kinds of words show."""

from functools import cache
from itertools import groupby
from time import thread_time
from typing import Any

from markdown_it.common.utils import escapeHtml
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String

# Of the processor: of usual code, 4,000 characters take 3 to 6 ms. It is looked at between words: what one
# expression does with one line is bounded by the line's length.
SECONDS, SECONDS_A_CHARACTER = 0.002, 0.000_005
LONGEST_LINE = 200  # characters; of what is longer (code for no reader) nothing is coloured

# What Pygments calls each language. Fences name no others: each brings expressions and memory of its own.
LANGUAGES = {
    name: lexer
    for lexer, names in {
        "bash": ("bash", "sh", "shell", "zsh"),
        "c": ("c", "h"),
        "console": ("console",),
        "cpp": ("cpp", "c++", "cc", "hpp"),
        "csharp": ("csharp", "cs", "c#"),
        "css": ("css",),
        "dart": ("dart",),
        "diff": ("diff", "patch", "udiff"),
        "docker": ("docker", "dockerfile"),
        "elixir": ("elixir", "ex", "exs"),
        "go": ("go", "golang"),
        "haskell": ("haskell", "hs"),
        "html": ("html",),
        "ini": ("ini", "cfg", "conf"),
        "java": ("java",),
        "javascript": ("javascript", "js", "jsx", "mjs"),
        "json": ("json",),
        "kotlin": ("kotlin", "kt"),
        "lua": ("lua",),
        "make": ("make", "makefile"),
        "nginx": ("nginx",),
        "perl": ("perl", "pl"),
        "php": ("php",),
        "powershell": ("powershell", "ps1", "pwsh"),
        "python": ("python", "py", "python3"),
        "r": ("r",),
        "ruby": ("ruby", "rb"),
        "rust": ("rust", "rs"),
        "scss": ("scss",),
        "sql": ("sql",),
        "swift": ("swift",),
        "toml": ("toml",),
        "typescript": ("typescript", "ts", "tsx"),
        "xml": ("xml", "svg"),
        "yaml": ("yaml", "yml"),
    }.items()
    for name in names
}
# The words of code that are coloured, by the first kind that fits.
KINDS: tuple[tuple[Any, str], ...] = (
    (Comment.Preproc, "keyword"),
    (Comment, "comment"),
    (Keyword, "keyword"),
    (Operator.Word, "keyword"),
    (Name.Tag, "keyword"),
    (String, "string"),
    (Number, "number"),
    (Generic.Inserted, "inserted"),
    (Generic.Deleted, "deleted"),
)


def coloured(code: str, language: str) -> str:
    """`code` as HTML in which words have classes; nothing where the language is not known, or it takes long.

    The expressions of some languages would be busy for half a second with a hostile text of 4,000 characters:
    those of Bash with one line of them behind `<<`.
    """
    if language not in LANGUAGES or max(map(len, code.split("\n"))) > LONGEST_LINE:
        return ""
    found = []
    lexer = _lexer(LANGUAGES[language])
    end = thread_time() + SECONDS + SECONDS_A_CHARACTER * len(code)
    for kind, word in lexer.get_tokens(code):
        if thread_time() > end:
            return ""
        found.append((_class(kind), word))
    last, word = found[-1]
    found[-1] = (last, word.removesuffix("\n"))  # which the lexer has added
    runs = groupby(found, lambda each: each[0])
    return "".join(_run(kind, "".join(word for _, word in words)) for kind, words in runs)


def _run(kind: str, words: str) -> str:
    return f'<span class="{kind}">{escapeHtml(words)}</span>' if kind else escapeHtml(words)


@cache
def _class(kind: Any) -> str:
    return next((name for parent, name in KINDS if kind in parent), "")


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language, stripnl=False)
