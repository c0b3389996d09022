# ruff: noqa: RUF001
"""The texts that the showcase streams."""

from __future__ import annotations

from importlib.resources import files

from chatdock.workflows.showcase.picture import picture

PROSE = (
    "The harbour lay quiet in the early light. A pilot boat crossed the basin, drew one long line through the water "
    "and was gone behind the mole. On the quay somebody stacked crates, counted them, counted them again, and wrote a "
    "number into a small black book. Nobody was in a hurry. The tide would turn at nine, and until then there was "
    "coffee, and bread, and time enough to look at the ships."
)

MARKDOWN = (files(__package__) / "markdown.md").read_text(encoding="utf-8").replace("{{picture}}", picture())
"""A document with everything that Markdown can do."""

UNICODE = """Right to left: مرحبا بالعالم، هذا نص عربي. שלום עולם, זה טקסט בעברית.
Mixed: The word سلام means peace, version 2.0 (גרסה 2.0), and (parentheses) stay.
Isolates: \u2067مرحبا 123\u2069 and then English again.
Emoji: 👩‍👩‍👧‍👦 👨🏽‍🚀 🏳️‍🌈 🇩🇪🇯🇵 👍🏿 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁳󠁣󠁴󠁿
Chinese: 我能吞下玻璃而不伤身体。 Japanese: いろはにほへと、ガラスを食べられます。 Korean: 나는 유리를 먹을 수 있어요.
Thai: ฉันกินกระจกได้ Hindi: मैं काँच खा सकता हूँ Tamil: நான் கண்ணாடி சாப்பிடுவேன்
Combining: é = e\u0301, Å = A\u030a, and many marks:
z\u0351\u036b\u0343\u036a\u0302\u0343a\u0323\u0318\u0321l\u0334\u0321\u0353g\u0320\u0348o\u0328\u0331
Beyond the basic plane: 𝒳 𐍈 𠜎 🀄. Ligatures: ﷽ ﬁ.
Invisible: zero\u200bwidth\u200bspace, soft\u00adhyphen, no\u00a0break, line\u2028separator, paragraph\u2029separator.
A word without an end: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
"""

HOSTILE_MARK = "__hostile"
"""The global variable that hostile content sets if any of it is ever run."""

_RUN = f"window.{HOSTILE_MARK}=1"

HOSTILE_URLS = (
    f"javascript:{_RUN}",
    f"JaVaScRiPt:{_RUN}",
    f"java\tscript:{_RUN}",
    f"\x01javascript:{_RUN}",
    f"javascript&colon;{_RUN}",
    f"vbscript:{_RUN}",
    f"data:text/html,<script>{_RUN}</script>",
    f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{_RUN}'/>",
    "file:///etc/passwd",
    "//example.com/protocol-relative",
    "https://user:password@example.com/",
    "https://example.com\u202egnp.exe",
    f"chatkit-link://__proto__?__proto__={_RUN}&constructor=1",
    "chatkit-link:",
    "https://[",
)
"""Link targets that nothing may follow, or that need care."""

HOSTILE = "\n".join(
    (
        "## Hostile text",
        "",
        f"<script>{_RUN}</script>",
        f'<img src=x onerror="{_RUN}"> <svg onload={_RUN}>',
        f"<iframe srcdoc='<script>parent.{_RUN[7:]}</script>'></iframe>",
        "<style>* {display: none}</style><base href='https://example.com/'><form><input name=body>",
        f'<a href="javascript:{_RUN}">raw link</a> <details open ontoggle={_RUN}>',
        "",
        *(f"- [link {n}]({url}) ![image {n}]({url})" for n, url in enumerate(HOSTILE_URLS, 1)),
        f"- <javascript:{_RUN}> and [a reference][bad] and [a title](https://example.com '\" onmouseover=\"{_RUN}')",
        f"- [entities](&#106;avascript:{_RUN}) [escaped](java\\script:{_RUN}) [https://bank.example](https://example.com)",
        "",
        f"[bad]: javascript:{_RUN}",
        "",
        rf"$\href{{javascript:{_RUN}}}{{x}}$ $\htmlClass{{x}}{{y}}$ $\def\x{{\x\x}}\x$ $\frac{{1}}$",
        "",
        f'```"><img src=x onerror={_RUN}>',
        "the language of this fence is markup",
        "```",
        "",
        "| a table | whose rows | do not fit |",
        "|---|---|---|",
        "| one |",
        f"| <b onclick={_RUN}>two</b> | `|` | three | four | five |",
        "",
        ">" * 60 + " quoted sixty times",
        "[" * 200 + "brackets" + "]" * 200,
        "*_" * 200 + "emphasis" + "_*" * 200,
        "toString constructor __proto__ {{7*7}} ${7*7} %s %n \\u0000 \x00 \x1b[31m",
        "",
        "```python",
        "a fence that is never closed",
    )
)
