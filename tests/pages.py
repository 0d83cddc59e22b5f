"""Pages of expected texts: Markdown files of cases, each a title and fenced blocks.

A case shows what is given and, in its `text` block, what is said of it. `pytest --update-pages`
rewrites the `text` blocks with what is said now (see the fixture `assert_shown`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """A fenced block: the words behind the fence, such as `yaml as is`, and the lines within."""

    info: str
    body: str


@dataclass(frozen=True)
class Section:
    """One case of a page.

    Args:
        page: The file that holds it.
        text: The section as it is written, from its title on.
    """

    page: Path
    text: str

    @property
    def title(self) -> str:
        """The heading of the case."""
        return self.text.splitlines()[0]

    @property
    def blocks(self) -> list[Block]:
        """All fenced blocks, in order."""
        fences = re.findall(r"^```([^\n]*)\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)
        return [Block(info, body) for info, body in fences]

    @property
    def shown(self) -> str:
        """What the `text` block says, without its last line break; empty where there is none."""
        shown = [block.body for block in self.blocks if block.info.split()[0] == "text"]
        return shown[0].rstrip("\n") if shown else ""

    def update(self, said: str) -> None:
        """Rewrite the `text` block, or add it; the rest of the page stays as it is."""
        fence = re.compile(r"^(```text[^\n]*\n).*?^```$", re.DOTALL | re.MULTILINE)
        rewritten = fence.sub(lambda match: f"{match[1]}{said}\n```", self.text, count=1)
        if not fence.search(self.text):
            rewritten = f"{self.text.rstrip()}\n\n```text\n{said}\n```\n"
        page = self.page.read_text(encoding="utf-8")
        self.page.write_text(page.replace(f"\n## {self.text}", f"\n## {rewritten}"), "utf-8")


def sections(folder: Path) -> list[Section]:
    """All cases of a folder's pages, page by page; of one page where a file is given."""
    pages = [folder] if folder.is_file() else sorted(folder.glob("*.md"))
    return [
        Section(page, text)
        for page in pages
        for text in page.read_text(encoding="utf-8").split("\n## ")[1:]
    ]
